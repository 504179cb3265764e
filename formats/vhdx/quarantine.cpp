#include "formats/vhdx/quarantine.h"

#include <algorithm>
#include <utility>

namespace vdisk::vhdx {

namespace {

std::vector<FreedRange> merged(std::vector<FreedRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const FreedRange& a, const FreedRange& b) { return a.offset < b.offset; });
  std::vector<FreedRange> out;
  for (const FreedRange& range : ranges) {
    if (!out.empty() && out.back().offset + out.back().length == range.offset) {
      out.back().length += range.length;
    } else {
      out.push_back(range);
    }
  }
  return out;
}

}  // namespace

std::vector<FreedRange> Quarantine::take_opened() {
  return std::exchange(opened_, {});
}

void Quarantine::restore(const std::vector<FreedRange>& ranges) {
  opened_.insert(opened_.end(), ranges.begin(), ranges.end());
}

void Quarantine::logged(const std::vector<FreedRange>& ranges) {
  if (!ranges.empty()) batches_.push_back({ranges});
}

void Quarantine::settle() {
  for (Batch& batch : batches_) batch.settled = true;
}

void Quarantine::reclaim() {
  for (Batch& batch : batches_) batch.reclaimed = true;
}

std::vector<FreedRange> Quarantine::take_released() {
  return take([](const Batch& batch) { return batch.settled && batch.reclaimed; });
}

std::vector<FreedRange> Quarantine::take_settled() {
  return take([](const Batch& batch) { return batch.settled; });
}

template <class Predicate>
std::vector<FreedRange> Quarantine::take(Predicate wanted) {
  std::vector<FreedRange> ranges;
  for (const Batch& batch : batches_) {
    if (wanted(batch)) ranges.insert(ranges.end(), batch.ranges.begin(), batch.ranges.end());
  }
  std::erase_if(batches_, wanted);
  return merged(std::move(ranges));
}

}  // namespace vdisk::vhdx
