/// read: bytes of the disk to the standard output, or sparsely into a file.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "command.h"
#include "commands/commands.h"
#include "guest_range.h"
#include "images.h"
#include "options.h"
#include "size.h"
#include "streams.h"
#include "transfer.h"
#include "try.h"

namespace vdisk::tool {
namespace {

/// Bytes moved between two looks at signals and progress.
constexpr u64 chunk_size = 4 * mib;
/// Zeros are written from a buffer of this size.
constexpr std::size_t zeros_size = 256 * kib;

class Read : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Status to_standard_output(const Disk& disk, const GuestRange& range);
  Status to_file(const Disk& disk, const GuestRange& range);
  Status check_output_file(const Disk& disk, FileSystem& files) const;
  template <class Move>
  Status move(const Disk& disk, const GuestRange& range, Move move_extent);

  std::filesystem::path path_;
  std::optional<std::filesystem::path> file_;
  bool force_ = false;
  RangeOptions range_;
  OpenOptions open_;
  OutputOptions output_;
};

void Read::declare(Arguments& arguments) {
  arguments.positional("PATH", path_, "the image");
  arguments.offset("--offset", range_.offset, "where to begin in the disk (default 0)");
  arguments.size("--length", range_.length, "how much to read (default: to the end)");
  arguments.path("-o,--output", file_, "write a file, with holes where the disk has none data");
  arguments.flag("-f,--force", force_, "replace an existing file");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, open_, {.only_reads = true});
  arguments.example("read disk.vhdx --length 512 | xxd", "the first sector");
  arguments.example("read disk.vhdx --output disk.raw", "a raw copy, as sparse as the image");
}

/// Calls `move_extent(extent)` for runs of one state, data at most chunk_size at a time.
template <class Move>
Status Read::move(const Disk& disk, const GuestRange& range, Move move_extent) {
  Transfer transfer("read", output_, range.length);
  const u64 end = range.offset + range.length;
  const auto move_extents = [&]() -> Status {
    for (u64 offset = range.offset; offset < end;) {
      TOOL_ASSIGN(auto extent, disk.extent_at(offset, end - offset));
      if (extent.state == State::data) extent.length = std::min(extent.length, chunk_size);
      TOOL_TRY(move_extent(extent));
      TOOL_TRY(transfer.advance(extent.length));
      offset += extent.length;
    }
    return {};
  };
  return transfer.finish(move_extents());
}

Status write_zeros(u64 length) {
  static const std::vector<std::byte> zeros(zeros_size);
  while (length > 0) {
    const auto count = static_cast<std::size_t>(std::min<u64>(length, zeros.size()));
    TOOL_TRY(write_standard_output(std::span(zeros).first(count)));
    length -= count;
  }
  return {};
}

Status Read::to_standard_output(const Disk& disk, const GuestRange& range) {
  if (standard_output_is_terminal() && !file_)
    return usage_error("the standard output is a terminal; redirect it, or give --output FILE");
  std::vector<std::byte> buffer(chunk_size);
  return move(disk, range, [&](const MappedExtent& extent) -> Status {
    if (extent.state != State::data) return write_zeros(extent.length);
    const auto part = std::span(buffer).first(static_cast<std::size_t>(extent.length));
    TOOL_TRY(disk.read(extent.offset, part));
    return write_standard_output(part);
  });
}

/// A layer of the disk can never be the output, and only regular files are replaced.
Status Read::check_output_file(const Disk& disk, FileSystem& files) const {
  std::error_code code;
  const auto kind = std::filesystem::symlink_status(*file_, code).type();
  if (kind == std::filesystem::file_type::not_found) return {};
  const auto name = text_of(*file_);
  if (const auto id = files.identity(*file_)) {
    for (std::size_t index = 0; index < disk.depth(); ++index) {
      TOOL_ASSIGN(const auto layer, disk.layer_file(index).identity());
      if (layer == *id)
        return fail(Errc::same_file, fmt::format("{}: is the image that is read", name));
    }
  }
  if (!force_) return fail(Errc::file_exists, fmt::format("{}: exists already", name));
  const bool replaceable =
      kind == std::filesystem::file_type::regular || kind == std::filesystem::file_type::symlink;
  if (!replaceable) return fail(Errc::not_regular, fmt::format("{}: not a regular file", name));
  return {};
}

Status Read::to_file(const Disk& disk, const GuestRange& range) {
  const auto files = host_file_system();
  TOOL_TRY(check_output_file(disk, *files));
  TOOL_ASSIGN(const auto temporary, files->create_beside(*file_));
  const auto copy = [&]() -> Status {
    TOOL_TRY(move(disk, range, [&](const MappedExtent& extent) -> Status {
      if (extent.state != State::data) return {};
      return temporary->copy_from(disk.layer_file(extent.depth), extent.file_offset,
                                  extent.offset - range.offset, extent.length);
    }));
    TOOL_TRY(temporary->resize(range.length));
    TOOL_TRY(temporary->flush());
    return files->publish(*temporary, *file_, force_);
  };
  auto copied = copy();
  if (!copied) (void)files->remove(temporary->name());
  return copied;
}

Result<Exit> Read::run() {
  TOOL_ASSIGN(const auto disk, Disk::open(path_, open_));
  TOOL_ASSIGN(const auto range, resolve_range(disk.size(), text_of(path_), range_));
  if (!file_ || *file_ == "-") {
    TOOL_TRY(to_standard_output(disk, range));
    return Exit::success;
  }
  TOOL_TRY(to_file(disk, range));
  print_result(output_,
               fmt::format("read {} into {}", short_size(range.length), escaped(text_of(*file_))));
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_read() {
  return std::make_unique<Read>();
}

}  // namespace vdisk::tool
