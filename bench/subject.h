// What the benchmarks measure: disks of disk_size bytes, plain files and images, in a folder of
// their own that is removed at the end. It lies in the temporary directory of the system (TMPDIR).
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "vdisk/operations.h"

namespace bench {

constexpr vdisk::u64 disk_size = 256 * vdisk::mib;
constexpr vdisk::u64 seed = 20240601;

template <class T>
T must(vdisk::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
void must(const vdisk::Status& status);
/// A plain system call must succeed.
void must(bool success);

/// A disk of disk_size bytes.
class Subject {
 public:
  Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  virtual ~Subject() = default;
  virtual void read(vdisk::u64 offset, std::span<std::byte> out) = 0;
  virtual void write(vdisk::u64 offset, std::span<const std::byte> data) = 0;
  virtual void flush() = 0;
};

/// A folder of one benchmark, removed with it.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  /// An empty disk: "plain" is a file without the library, "raw", "vhd" and "vhdx" are images.
  [[nodiscard]] std::unique_ptr<Subject> make(const std::string& kind) const;
  /// A full VHDX below `depth` children with scattered pages of their own, read through the leaf.
  [[nodiscard]] std::unique_ptr<Subject> make_chain(std::size_t depth) const;

 private:
  std::filesystem::path path_;
};

/// Noise that depends on the seed alone.
[[nodiscard]] std::vector<std::byte> payload(std::size_t size);
void fill(Subject& subject);
/// Every offset of the disk once, in an order that depends on the seed alone.
[[nodiscard]] std::vector<vdisk::u64> offsets(vdisk::u64 length, bool shuffled);

}  // namespace bench
