/// zero and discard: a range of the disk loses its content.
#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "guest_range.h"
#include "images.h"
#include "options.h"
#include "size.h"
#include "transfer.h"
#include "try.h"

namespace vdisk::tool {
namespace {

/// Between two looks at signals and progress; a multiple of every block size.
constexpr u64 chunk_size = 1 * gib;

Status zero_range(Disk& disk, u64 offset, u64 length) {
  return zero_unaligned(disk, offset, length);
}

/// Sectors that are discarded only in part keep their bytes.
Status discard_range(Disk& disk, u64 offset, u64 length) {
  const u64 sector = disk.geometry().logical_sector_size;
  const u64 first = (offset + sector - 1) / sector * sector;
  const u64 last = (offset + length) / sector * sector;
  return first < last ? disk.discard(first, last - first) : Status();
}

struct Wording {
  std::string_view verb;
  std::string_view done;
  std::string_view example;
  std::string_view example_does;
  Status (*clear)(Disk&, u64 offset, u64 length);
};
constexpr Wording zero_words = {"zero", "zeroed", "zero disk.vhdx --offset 1M --length 64K",
                                "the range reads as zeros, whatever a parent holds", zero_range};
constexpr Wording discard_words = {
    "discard", "discarded", "discard disk.vhdx --offset 1G --length 10G",
    "space that the image can give up is used again for later writes", discard_range};

class Clear : public Command {
 public:
  explicit Clear(const Wording& wording) : wording_(wording) {}
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Status clear(Disk& disk, const GuestRange& range);

  const Wording& wording_;
  std::filesystem::path path_;
  RangeOptions range_;
  OpenOptions open_{.access = Access::read_write};
  OutputOptions output_;
};

void Clear::declare(Arguments& arguments) {
  arguments.positional("PATH", path_, "the image");
  arguments.offset("--offset", range_.offset, "where to begin in the disk (default 0)");
  arguments.size("--length", range_.length, "how many bytes; must be given");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, open_);
  arguments.example(wording_.example, wording_.example_does);
}

Status Clear::clear(Disk& disk, const GuestRange& range) {
  Transfer transfer(wording_.verb, output_, range.length);
  const u64 end = range.offset + range.length;
  const auto clear_chunks = [&]() -> Status {
    for (u64 offset = range.offset; offset < end;) {
      const u64 length = std::min(end - offset, chunk_size - offset % chunk_size);
      TOOL_TRY(wording_.clear(disk, offset, length));
      TOOL_TRY(transfer.advance(length));
      offset += length;
    }
    return {};
  };
  return transfer.finish(clear_chunks());
}

Result<Exit> Clear::run() {
  if (!range_.length) return usage_error("--length is missing");
  TOOL_ASSIGN(auto disk, Disk::open(path_, open_));
  warn_about_children(path_, open_);
  TOOL_ASSIGN(const auto range, resolve_range(disk.size(), text_of(path_), range_));
  const auto done = clear(disk, range);
  const auto closed = disk.close();
  TOOL_TRY(done);
  TOOL_TRY(closed);
  if (output_.json)
    print_json({{"path", text_of(path_)}, {"offset", range.offset}, {"length", range.length}});
  print_result(output_,
               fmt::format("{} {} at offset {} of {}", wording_.done, short_size(range.length),
                           range.offset, escaped(text_of(path_))));
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_zero() {
  return std::make_unique<Clear>(zero_words);
}

std::unique_ptr<Command> make_discard() {
  return std::make_unique<Clear>(discard_words);
}

}  // namespace vdisk::tool
