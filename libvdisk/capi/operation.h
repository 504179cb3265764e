/// What the functions that start operations share: taking arguments, giving results.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "capi/job.h"
#include "capi/options.h"

namespace vdisk::capi {

/// A result without values yet.
inline JobResult of_type(vdisk_output_type type) {
  JobResult result;
  result.output.struct_size = sizeof result.output;
  result.output.type = type;
  return result;
}

/// As much of the text as there is room for, and a final zero.
template <std::size_t Size>
void copy_text(const std::string& text, char (&target)[Size]) {
  const std::size_t length = std::min(text.size(), Size - 1);
  std::memcpy(target, text.data(), length);
  target[length] = '\0';
}

/// Starts `operation(options, progress)`, whose output `convert` takes over.
template <class Options, class Output>
Status run(Result<Output> (*operation)(const Options&, Progress&),
           JobResult (*convert)(const Output&), Options options, vdisk_job** job) {
  return start(
      [operation, convert, options = std::move(options)](Progress& progress) -> Result<JobResult> {
        auto output = operation(options, progress);
        if (!output) return std::unexpected(std::move(output).error());
        return convert(*output);
      },
      job);
}

/// Arguments of a call, or the reason why there are none; the first wins.
class Inputs {
 public:
  std::filesystem::path path(const char* name, const char* argument) {
    return keep(path_of(name, argument));
  }
  OpenOptions open(const vdisk_open_options* given, Unlisted unlisted = Unlisted::refused) {
    return keep(open_options(given, unlisted));
  }
  /// Refuses flags that are not known.
  void flags(uint32_t flags, uint32_t known) {
    if ((flags & ~known) == 0 || !status_) return;
    status_ = fail(Errc::invalid_argument, "flags: " + std::to_string(flags) + " is not known");
  }
  template <class Value>
  Value keep(Result<Value> result) {
    if (result) return *std::move(result);
    if (status_) status_ = std::unexpected(std::move(result).error());
    return {};
  }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  Status status_;
};

inline std::optional<std::filesystem::path> optional_path(const char* name) {
  if (name == nullptr) return std::nullopt;
  return std::filesystem::path(name);
}

}  // namespace vdisk::capi
