/// Files beside the result. Identity is that of the file system, so that links are seen through.
#include "side_output.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "images.h"
#include "try.h"
#include "vdisk/disk.h"

namespace vdisk::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t piece_size = 128 * kib;

bool is_same_file(const FileSystem& files, const fs::path& a, const fs::path& b) {
  const auto first = files.identity(a);
  const auto second = files.identity(b);
  if (first && second) return *first == *second;
  const auto name = files.absolute(a);
  const auto other = files.absolute(b);
  return name && other && *name == *other;
}

/// Also one that is damaged, or that this program refuses to open: parents of a damaged child can
/// only be known so.
bool holds_image(const fs::path& path) {
  const auto disk =
      Disk::open(path, {.read_log = ReadLog::memory, .parents = ParentPolicy::none, .lock = false});
  return disk || disk.error().code != Errc::not_image;
}

Status check_existing(const SideOutputRequest& request) {
  std::error_code code;
  const auto kind = fs::symlink_status(request.path, code).type();
  if (kind == fs::file_type::not_found) return {};
  const auto name = text_of(request.path);
  if (!request.replace) return fail(Errc::file_exists, fmt::format("{}: exists already", name));
  const bool replaceable = kind == fs::file_type::regular || kind == fs::file_type::symlink;
  if (!replaceable) return fail(Errc::not_regular, fmt::format("{}: not a regular file", name));
  const bool dangling = !fs::exists(request.path, code);
  if (dangling || !holds_image(request.path)) return {};
  return fail(Errc::same_file, fmt::format("{}: is a disk image, expected another file", name));
}

}  // namespace

Result<SideOutput> SideOutput::prepare(const SideOutputRequest& request) {
  auto files = host_file_system();
  for (const auto& other : request.others) {
    if (!is_same_file(*files, request.path, other)) continue;
    return fail(Errc::same_file, fmt::format("{}: is the same file as {}, expected another one",
                                             text_of(request.path), text_of(other)));
  }
  TOOL_TRY(check_existing(request));
  TOOL_ASSIGN(auto file, files->create_beside(request.path));
  return SideOutput(std::move(files), std::move(file), request);
}

Status SideOutput::save(const std::function<void(const Put&)>& produce) {
  std::string piece;
  u64 end = 0;
  Status status;
  const auto write_out = [&] {
    if (status) status = file_->write_at(end, std::as_bytes(std::span(piece)));
    end += piece.size();
    piece.clear();
  };
  produce([&](std::string_view text) {
    piece += text;
    if (piece.size() >= piece_size) write_out();
  });
  write_out();
  TOOL_TRY(status);
  TOOL_TRY(file_->flush());
  return files_->publish(*file_, path_, replace_);
}

}  // namespace vdisk::tool
