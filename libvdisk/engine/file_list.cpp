#include "engine/file_list.h"

#include <fmt/format.h>

#include "base/try.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

/// More files are no folder of images but somebody's root directory.
constexpr std::size_t most_files = 1'000'000;
constexpr std::size_t deepest_directory = 64;

/// Not allowed to be read, or removed while it was looked for.
bool is_closed_to_us(const Error& error) {
  return error.code == Errc::access_denied || kind(error.code) == ErrorKind::not_found;
}

class Walk {
 public:
  Walk(const FileSystem& files, Unreadable unreadable, std::vector<fs::path>& paths)
      : files_(files), unreadable_(unreadable), paths_(paths) {}

  Status enter(const fs::path& directory, std::size_t depth) {
    if (depth > deepest_directory) {
      return fail(Errc::limit, fmt::format("{}: nested in more than {} directories, expected less",
                                           directory.string(), deepest_directory));
    }
    VDISK_TRY(list_files(files_, directory, paths_));
    VDISK_ASSIGN(const auto names, files_.list_directories(directory));
    for (const fs::path& name : names) {
      auto entered = enter(directory / name, depth + 1);
      const bool passed_over = unreadable_ == Unreadable::pass_over;
      if (entered || (passed_over && is_closed_to_us(entered.error()))) continue;
      return entered;
    }
    return {};
  }

 private:
  const FileSystem& files_;
  Unreadable unreadable_;
  std::vector<fs::path>& paths_;
};

}  // namespace

Status list_files(const FileSystem& files, const fs::path& directory,
                  std::vector<fs::path>& paths) {
  VDISK_ASSIGN(const auto names, files.list(directory));
  for (const fs::path& name : names) {
    paths.push_back(name.is_absolute() ? name : directory / name.filename());
  }
  if (paths.size() <= most_files) return {};
  return fail(Errc::limit, fmt::format("{}: more than {} files, expected at most that many",
                                       directory.string(), most_files));
}

Status list_files_below(const FileSystem& files, const fs::path& directory, Unreadable unreadable,
                        std::vector<fs::path>& paths) {
  return Walk(files, unreadable, paths).enter(directory, 0);
}

}  // namespace vdisk
