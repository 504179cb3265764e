#include "formats/vhd/block_survey.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/hole_probe.h"

namespace vdisk::vhd {

namespace {
/// More blocks that share space are only counted: findings end long before, and so does repair.
constexpr std::size_t max_shared = std::size_t{1} << 20;
}  // namespace

BlockSurvey::BlockSurvey(const File& file, const Layout& layout)
    : file_(file),
      layout_(layout),
      shape_(block_shape(layout)),
      core_(core_ranges(layout)),
      metadata_(metadata_ranges(layout)) {}

Status BlockSurvey::run(const BlockFindingVisitor& visit) {
  const auto count_bad = [this](u32, const EntryPlace&) {
    ++bad_count_;
    return Status();
  };
  VDISK_ASSIGN(blocks_, scan_blocks(file_, layout_, count_bad));
  find_shared();
  if (bad_count_ == 0 && shared_.empty()) return {};
  return for_each_entry(file_, layout_.header.table_offset, layout_.block_count,
                        [&](u64 index, u32 sector) { return visit_entry(index, sector, visit); });
}

/// Of blocks that overlap, the lowest stays; the next one that is clear of it stays, too.
void BlockSurvey::find_shared() {
  const u64 footprint = shape_.footprint() / sector_size;
  std::optional<u32> kept;
  for (const u32 block : blocks_) {
    if (!kept || block - *kept >= footprint) {
      kept = block;
    } else if (shared_.size() < max_shared) {
      shared_.push_back({block, *kept});
    } else {
      ++unlisted_count_;
    }
  }
  visited_.resize(shared_.size());
}

Status BlockSurvey::visit_entry(u64 index, u32 sector, const BlockFindingVisitor& visit) {
  if (sector == unallocated) return {};
  if (!is_sound_entry(sector, layout_.footer_offset, shape_, metadata_)) {
    return visit({.index = index, .sector = sector, .remedy = remedy_of_bad(sector)});
  }
  const Shared* shared = take_shared(sector);
  if (shared == nullptr) return {};
  return visit({.index = index,
                .sector = sector,
                .shared = true,
                .other_place = u64{shared->other} * sector_size,
                .remedy = relocation()});
}

Remedy BlockSurvey::remedy_of_bad(u32 sector) {
  if (is_sound_entry(sector, layout_.footer_offset, shape_, core_)) return relocation();
  const u64 offset = u64{sector} * sector_size;
  const bool cut = !extended_ && offset < layout_.footer_offset &&
                   is_sound_entry(sector, offset + shape_.footprint(), shape_, metadata_);
  const bool alone =
      blocks_.empty() || u64{blocks_.back()} * sector_size + shape_.footprint() <= offset;
  if (!cut || !alone) return Remedy::give_up;
  extended_ = true;
  return Remedy::extend;
}

Remedy BlockSurvey::relocation() {
  if (shape_.footprint() > max_relocated_bytes - relocated_bytes_) return Remedy::none;
  relocated_bytes_ += shape_.footprint();
  return Remedy::relocate;
}

/// The first entries that name a shared place are the ones that move.
const BlockSurvey::Shared* BlockSurvey::take_shared(u32 sector) {
  const auto found = std::ranges::lower_bound(shared_, sector, {}, &Shared::sector);
  const auto first = static_cast<std::size_t>(found - shared_.begin());
  if (first == shared_.size()) return nullptr;
  const std::size_t next = first + visited_[first];
  if (next == shared_.size() || shared_[next].sector != sector) return nullptr;
  ++visited_[first];
  return &shared_[next];
}

Result<std::optional<u64>> find_cuttable_tail(const File& file, const std::vector<u32>& blocks,
                                              const Layout& layout) {
  const BlockShape shape = block_shape(layout);
  std::optional<u64> tail;
  for_each_gap(blocks, layout, [&](FileRange gap) {
    if (gap.end() == layout.footer_offset) tail = aligned_place(gap.offset, shape);
  });
  const bool worth_it =
      tail && *tail <= layout.footer_offset && layout.footer_offset - *tail >= shape.footprint();
  if (!worth_it) return std::optional<u64>{};
  VDISK_ASSIGN(const bool zeros, reads_as_zeros(file, *tail, layout.footer_offset - *tail));
  return zeros ? tail : std::nullopt;
}

}  // namespace vdisk::vhd
