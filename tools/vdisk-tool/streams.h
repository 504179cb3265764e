/// The standard streams and other descriptors as sources and sinks of bytes.
///
/// All functions finish short transfers, and end with Errc::canceled when a signal came.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "vdisk/error.h"

namespace vdisk::tool {

/// Where bytes for the disk come from: the standard input, or a file that it owns.
class InputStream {
 public:
  /// "-" and unset: the standard input.
  static Result<InputStream> open(const std::optional<std::filesystem::path>& path);

  InputStream(InputStream&& other) noexcept;
  InputStream& operator=(InputStream&&) = delete;
  ~InputStream();

  /// Bytes from here to the end of a regular file; unset for everything else.
  [[nodiscard]] std::optional<u64> remaining_size() const;
  /// Fills `out` as far as there are bytes; less than asked for only at the end.
  Result<std::size_t> read(std::span<std::byte> out);
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  InputStream(int descriptor, bool owned, std::string name)
      : descriptor_(descriptor), owned_(owned), name_(std::move(name)) {}

  int descriptor_;
  bool owned_;
  std::string name_;
};

/// Writes all of it to the standard output.
Status write_standard_output(std::span<const std::byte> data);
[[nodiscard]] bool standard_output_is_terminal();

}  // namespace vdisk::tool
