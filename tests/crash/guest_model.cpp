#include "crash/guest_model.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"
#include "support/crash_states.h"

namespace vdisk::test {

namespace {

/// Repeated over the whole sector.
struct Stamp {
  u32 mark = payload_mark;
  u32 value = 0;
  u64 offset = 0;
};

}  // namespace

std::vector<std::byte> sectors_of(u64 offset, u64 length, u32 value) {
  std::vector<std::byte> bytes(length);
  if (value == 0) return bytes;
  for (u64 at = 0; at < length; at += sizeof(Stamp)) {
    store(std::span(bytes).subspan(at),
          Stamp{payload_mark, value, round_down(offset + at, model_sector)});
  }
  return bytes;
}

std::optional<u32> value_of(std::span<const std::byte> sector, u64 offset) {
  const auto stamp = load<Stamp>(sector);
  const bool repeats =
      std::memcmp(sector.data(), sector.data() + sizeof(Stamp), sector.size() - sizeof(Stamp)) == 0;
  if (!repeats) return std::nullopt;
  if (stamp.mark == 0 && stamp.value == 0 && stamp.offset == 0) return 0;
  if (stamp.mark != payload_mark || stamp.offset != offset) return std::nullopt;
  return stamp.value;
}

bool GuestModel::Run::admits(u32 value) const {
  return value == settled || std::ranges::find(issued, value) != issued.end();
}

std::string GuestModel::Run::describe() const {
  return issued.empty() ? fmt::format("{}", settled)
                        : fmt::format("{} or {}", settled, fmt::join(issued, " or "));
}

GuestModel::GuestModel(u64 size) : size_(size) {
  if (size != 0) runs_[0] = {.end = size};
}

void GuestModel::issue(u64 offset, u64 length, u32 value) {
  cut_at(offset);
  cut_at(offset + length);
  for (auto run = runs_.find(offset); run != runs_.end() && run->first < offset + length; ++run) {
    run->second.issued.push_back(value);
  }
}

void GuestModel::issue_size(u64 size) {
  const u64 end = runs_.empty() ? 0 : runs_.rbegin()->second.end;
  if (size > end) runs_[end] = {.end = size};
  sizes_.push_back(size);
}

void GuestModel::settle() {
  for (auto& [begin, run] : runs_) {
    if (run.issued.empty()) continue;
    run.settled = run.issued.back();
    run.issued.clear();
  }
}

void GuestModel::settle_size() {
  size_ = size();
  sizes_.clear();
}

bool GuestModel::admits_size(u64 size) const {
  return size == size_ || std::ranges::find(sizes_, size) != sizes_.end();
}

std::string GuestModel::judge(u64 offset, std::span<const std::byte> bytes) const {
  auto run = std::prev(runs_.upper_bound(offset));
  for (u64 done = 0; done < bytes.size(); done += model_sector) {
    const u64 at = offset + done;
    while (at >= run->second.end) ++run;
    const auto value = value_of(bytes.subspan(done, model_sector), at);
    if (value && run->second.admits(*value)) continue;
    return fmt::format("sector at {:#x}: {}, expected {}", at,
                       value ? fmt::format("value {}", *value) : "foreign bytes",
                       run->second.describe());
  }
  return {};
}

std::string GuestModel::judge_zeros(u64 offset, u64 length) const {
  for (auto run = std::prev(runs_.upper_bound(offset));
       run != runs_.end() && run->first < offset + length; ++run) {
    if (run->second.admits(0)) continue;
    return fmt::format("sectors from {:#x}: zeros, expected {}", std::max(offset, run->first),
                       run->second.describe());
  }
  return {};
}

void GuestModel::cut_at(u64 offset) {
  const auto after = runs_.upper_bound(offset);
  if (after == runs_.begin()) return;
  const auto run = std::prev(after);
  if (run->first == offset || offset >= run->second.end) return;
  Run rest = run->second;
  run->second.end = offset;
  runs_.emplace(offset, std::move(rest));
}

}  // namespace vdisk::test
