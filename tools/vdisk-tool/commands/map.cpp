/// map: where the bytes of a disk are, through the chain or in one file alone.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "guest_range.h"
#include "images.h"
#include "options.h"
#include "signals.h"
#include "size.h"
#include "try.h"

namespace vdisk::tool {
namespace {

/// A line of the answer: neighbouring extents that belong together are one.
struct Run {
  MappedExtent extent;
  bool reads_as_zeros = false;

  [[nodiscard]] bool continues_in(const Run& next) const {
    const bool follows = extent.state != State::data ||
                         extent.file_offset + extent.length == next.extent.file_offset;
    return extent.state == next.extent.state && extent.depth == next.extent.depth && follows;
  }
};

class Map : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Result<Run> run_at(const Disk& disk, u64 offset, u64 limit) const;
  Status print_runs(const Disk& disk, const GuestRange& range);
  void print_run(const Run& run);

  std::filesystem::path path_;
  bool layer_only_ = false;
  RangeOptions range_;
  OpenOptions open_;
  OutputOptions output_;
  std::vector<std::string> layer_paths_;
  bool leaf_has_parent_ = false;
  bool first_ = true;
};

void Map::declare(Arguments& arguments) {
  arguments.positional("PATH", path_, "the image");
  arguments.flag("--layer", layer_only_, "this file alone, without its parents");
  arguments.offset("--start", range_.offset, "where to begin in the disk (default 0)");
  arguments.size("--length", range_.length, "how much to show (default: to the end)");
  declare_output(arguments, output_, Takes::result);
  declare_open(arguments, open_, {.only_reads = true});
  arguments.example("map disk.vhdx", "a table of data, zeros and gaps");
  arguments.example("map child.vhdx --json", "the fields that qemu-img map has; offset with data");
}

Result<Run> Map::run_at(const Disk& disk, u64 offset, u64 limit) const {
  if (!layer_only_) {
    TOOL_ASSIGN(auto extent, disk.extent_at(offset, limit));
    if (extent.state == State::absent) extent.depth = disk.depth() - 1;
    return Run{extent, extent.state != State::data};
  }
  TOOL_ASSIGN(const auto extent, disk.layer_extent_at(0, offset, limit));
  const bool zeros =
      extent.state == State::zero || (extent.state == State::absent && !leaf_has_parent_);
  return Run{{extent.offset, extent.length, extent.state, extent.file_offset, 0}, zeros};
}

void Map::print_run(const Run& run) {
  const auto& extent = run.extent;
  const bool has_data = extent.state == State::data;
  const auto& path = layer_paths_[extent.depth];
  if (output_.json) {
    nlohmann::ordered_json line = {
        {"start", extent.offset},     {"length", extent.length},
        {"depth", extent.depth},      {"present", extent.state != State::absent},
        {"zero", run.reads_as_zeros}, {"data", has_data}};
    if (has_data) line["offset"] = extent.file_offset;
    line["path"] = path;
    print(first_ ? "\n" : ",\n");
    print(to_line(line));
  } else {
    if (first_)
      print_line(fmt::format("{:>14}  {:>14}  {:<6}  {:>5}  {:>14}  {}", "start", "length", "state",
                             "depth", "offset", "path"));
    const auto* const state = has_data ? "data" : extent.state == State::zero ? "zero" : "absent";
    print_line(fmt::format(
        "{:#14x}  {:#14x}  {:<6}  {:>5}  {:>14}  {}", extent.offset, extent.length, state,
        extent.depth, has_data ? fmt::format("{:#x}", extent.file_offset) : "-", escaped(path)));
  }
  first_ = false;
}

Status Map::print_runs(const Disk& disk, const GuestRange& range) {
  const u64 end = range.offset + range.length;
  std::optional<Run> pending;
  for (u64 offset = range.offset; offset < end;) {
    TOOL_TRY(check_interrupted());
    TOOL_ASSIGN(const auto next, run_at(disk, offset, end - offset));
    offset += next.extent.length;
    if (pending && pending->continues_in(next)) {
      pending->extent.length += next.extent.length;
      continue;
    }
    if (pending) print_run(*pending);
    pending = next;
  }
  if (pending) print_run(*pending);
  return {};
}

Result<Exit> Map::run() {
  if (layer_only_) {
    open_.parents = ParentPolicy::none;
    open_.parent.reset();
  }
  TOOL_ASSIGN(const auto disk, Disk::open(path_, open_));
  for (std::size_t index = 0; index < disk.depth(); ++index) {
    TOOL_ASSIGN(const auto layer, disk.layer(index));
    if (index == 0) leaf_has_parent_ = layer.image.parent.has_value();
    layer_paths_.push_back(text_of(layer.path));
  }
  TOOL_ASSIGN(const auto range, resolve_range(disk.size(), text_of(path_), range_));
  if (output_.json) print("[");
  TOOL_TRY(print_runs(disk, range));
  if (output_.json) print("\n]\n");
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_map() {
  return std::make_unique<Map>();
}

}  // namespace vdisk::tool
