#include "formats/vhdx/block_allocator.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/space_scan.h"

namespace vdisk::vhdx {

namespace {
/// The file grows in steps, so that its size changes rarely; close() cuts the rest off.
constexpr u64 growth_step = 32 * mib;
}  // namespace

BlockAllocator::BlockAllocator(File& file, BlockMap& map, Start start)
    : file_(file),
      map_(map),
      space_(std::move(start.space)),
      anchors_usable_(start.anchors_usable) {}

Result<std::optional<u64>> BlockAllocator::place_for(u64 block, const BatEntry& entry,
                                                     std::unique_lock<std::mutex>& lock) {
  if (const auto found = pending_.find(block); found != pending_.end()) {
    const auto zeroed = found->second.zeroed;
    if (!zeroed || *zeroed) return found->second.file_offset;
    lock.unlock();
    zeroed->wait(false);
    lock.lock();
    return std::nullopt;
  }
  VDISK_ASSIGN(const Place place, choose(entry));
  PendingBlock& pending =
      pending_.emplace(block, PendingBlock{place.offset, place.recycled}).first->second;
  if (!place.recycled) return place.offset;
  pending.zeroed = std::make_shared<std::atomic<bool>>(false);
  return zero_pending(block, entry, lock);
}

Result<Place> BlockAllocator::choose(const BatEntry& entry) {
  if (keeps_anchor(entry)) return Place{entry.file_offset, true};
  return allocate(map_.layout().bat_layout.block_size());
}

Result<std::optional<u64>> BlockAllocator::zero_pending(u64 block, const BatEntry& entry,
                                                        std::unique_lock<std::mutex>& lock) {
  const PendingBlock pending = pending_.at(block);
  const u64 length = map_.layout().bat_layout.block_size();
  lock.unlock();
  auto zeroed = file_.zero_at(pending.file_offset, length);
  lock.lock();
  if (!zeroed) {
    pending_.erase(block);
    if (!keeps_anchor(entry)) space_.release(pending.file_offset, length);
  }
  *pending.zeroed = true;  // or failed: whoever waited looks again
  pending.zeroed->notify_all();
  if (!zeroed) return std::unexpected(std::move(zeroed).error());
  return std::nullopt;
}

std::optional<PendingBlock> BlockAllocator::take_pending(u64 block, u64 file_offset) {
  const auto found = pending_.find(block);
  if (found == pending_.end() || found->second.file_offset != file_offset) return std::nullopt;
  std::optional<PendingBlock> pending = std::move(found->second);
  pending_.erase(found);
  return pending;
}

void BlockAllocator::drop_pending() {
  const u64 length = map_.layout().bat_layout.block_size();
  for (const auto& [block, pending] : pending_) {
    const auto entry = map_.payload(block);
    const bool anchored = entry && is_anchor(*entry) && entry->file_offset == pending.file_offset;
    if (!anchored) space_.release(pending.file_offset, length);
  }
  pending_.clear();
}

Result<Place> BlockAllocator::allocate(u64 length) {
  const Place place = space_.allocate(length);
  if (auto grown = grow_to(place.offset + length); !grown) {
    space_.release(place.offset, length);
    return std::unexpected(std::move(grown).error());
  }
  return place;
}

Result<u64> BlockAllocator::append(u64 length) {
  const Place place = space_.append(length);
  if (auto grown = grow_to(place.offset + length); !grown) {
    space_.release(place.offset, length);
    return std::unexpected(std::move(grown).error());
  }
  return place.offset;
}

bool BlockAllocator::keeps_anchor(const BatEntry& entry) const {
  return anchors_usable_ && is_anchor(entry);
}

Status BlockAllocator::grow_to(u64 end) {
  const u64 size = map_.layout().file_size;
  if (end <= size) return {};
  const u64 generous = std::max(end, round_up(size + growth_step, mib));
  u64 grown = generous;
  if (!file_.resize(generous)) {
    grown = end;
    VDISK_TRY(file_.resize(end));
  }
  map_.set_file_size(grown);
  return {};
}

}  // namespace vdisk::vhdx
