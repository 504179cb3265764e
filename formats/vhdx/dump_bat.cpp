#include "formats/vhdx/dump_bat.h"

#include <fmt/format.h>

#include "base/try.h"
#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/bat_scan.h"
#include "formats/vhdx/structure_builder.h"

namespace vdisk::vhdx {

namespace {

/// Runs in one structure, so that a table of any size is shown in bounded memory.
constexpr std::size_t runs_per_structure = 256;

std::string state_text(u8 state) {
  switch (static_cast<PayloadState>(state)) {
    case PayloadState::not_present: return "not_present";
    case PayloadState::undefined: return "undefined";
    case PayloadState::zero: return "zero";
    case PayloadState::unmapped: return "unmapped";
    case PayloadState::fully_present: return "fully_present";
    case PayloadState::partially_present: return "partially_present";
  }
  return fmt::format("reserved state {}", state);
}

class BatDumper {
 public:
  BatDumper(const Layout& layout, const StructureSink& sink)
      : layout_(layout), sink_(sink), builder_(new_builder()) {}

  Status visit(u64 index, u64 raw) {
    const BatLayout& bat = layout_.bat_layout;
    const BatEntry entry = decode_bat_entry(raw);
    if (bat.is_bitmap_index(index)) {
      VDISK_TRY(end_run());
      return add(fmt::format("bitmap of chunk {}", bat.chunk_of_index(index)), {index, 1},
                 fmt::format("state {} at {:#x}", entry.state, entry.file_offset));
    }
    if (continues_run(index, entry)) {
      ++run_.count;
      return {};
    }
    VDISK_TRY(end_run());
    run_ = {.index = index, .count = 1, .first = entry};
    return {};
  }

  Status finish() {
    VDISK_TRY(end_run());
    return builder_.send(sink_);
  }

 private:
  struct Run {
    u64 index = 0;
    u64 count = 0;
    BatEntry first = {};
  };
  struct Entries {
    u64 index = 0;
    u64 count = 0;
  };

  StructureBuilder new_builder() const {
    return {"BAT", {layout_.regions.bat.offset, layout_.bat_layout.byte_length()}};
  }

  [[nodiscard]] bool continues_run(u64 index, const BatEntry& entry) const {
    if (run_.count == 0 || index != run_.index + run_.count || entry.state != run_.first.state) {
      return false;
    }
    const u64 step = entry.file_offset == 0 ? 0 : layout_.bat_layout.block_size();
    return entry.file_offset == run_.first.file_offset + run_.count * step;
  }

  Status end_run() {
    if (run_.count == 0) return {};
    const u64 first = layout_.bat_layout.block_of_index(run_.index);
    const Entries entries{run_.index, run_.count};
    const std::string name = fmt::format("blocks {} to {}", first, first + run_.count - 1);
    const std::string value =
        run_.first.file_offset == 0
            ? state_text(run_.first.state)
            : fmt::format("{} at {:#x}", state_text(run_.first.state), run_.first.file_offset);
    run_ = {};
    return add(name, entries, value);
  }

  Status add(const std::string& name, Entries entries, const std::string& value) {
    builder_.text(name, {entries.index * bat_entry_size, entries.count * bat_entry_size}, value);
    if (builder_.field_count() < runs_per_structure) return {};
    VDISK_TRY(builder_.send(sink_));
    builder_ = new_builder();
    return {};
  }

  const Layout& layout_;
  const StructureSink& sink_;
  StructureBuilder builder_;
  Run run_;
};

}  // namespace

Status dump_bat(const File& file, const Layout& layout, const StructureSink& sink) {
  BatDumper dumper(layout, sink);
  VDISK_TRY(
      scan_bat(file, layout, [&dumper](u64 index, u64 raw) { return dumper.visit(index, raw); }));
  return dumper.finish();
}

}  // namespace vdisk::vhdx
