#include "support/crash_file.h"

#include <algorithm>

#include "base/try.h"

namespace vdisk::test {

namespace {
constexpr u64 sector = 512;

void keep(const Status& status) {
  (void)status;  // a MemoryFile does not fail
}
}  // namespace

CrashFile::CrashFile(const MemoryFile& start)
    : ForwardingFile(start.clone()), durable_(start.clone()) {}

void CrashFile::crash_before(u64 call_index, u32 seed) {
  const std::scoped_lock lock(mutex_);
  calls_left_ = call_index;
  random_.seed(seed);
}

void CrashFile::crash_now() {
  const std::scoped_lock lock(mutex_);
  if (!remains_) remains_ = remains_of_crash();
}

bool CrashFile::crashed() const {
  const std::scoped_lock lock(mutex_);
  return remains_ != nullptr;
}

std::shared_ptr<MemoryFile> CrashFile::remains() const {
  const std::scoped_lock lock(mutex_);
  return remains_;
}

void CrashFile::count_call() {
  const std::scoped_lock lock(mutex_);
  if (calls_left_-- == 0) remains_ = remains_of_crash();
}

/// Durable state plus a random part of what came after it.
std::shared_ptr<MemoryFile> CrashFile::remains_of_crash() {
  auto file = durable_->clone();
  const auto chance = random_() % 5;  // of 4: how many changes persist
  for (const Change& change : volatile_) {
    const auto luck = random_() % 4;
    if (luck < chance) {
      apply(*file, change);
    } else if (luck == chance && change.kind == Change::Kind::write) {
      apply_torn(*file, change, random_);
    }
  }
  return file;
}

Status CrashFile::write_at(u64 offset, std::span<const std::byte> data) {
  count_call();
  VDISK_TRY(inner().write_at(offset, data));
  record({.kind = Change::Kind::write,
          .offset = offset,
          .length = data.size(),
          .data = {data.begin(), data.end()}});
  return {};
}

Status CrashFile::zero_at(u64 offset, u64 length) {
  count_call();
  VDISK_TRY(inner().zero_at(offset, length));
  record({.kind = Change::Kind::zero, .offset = offset, .length = length});
  return {};
}

Status CrashFile::punch_at(u64 offset, u64 length) {
  count_call();
  VDISK_TRY(inner().punch_at(offset, length));
  VDISK_ASSIGN(const u64 end, inner().size());
  if (offset >= end) return {};
  record({.kind = Change::Kind::zero, .offset = offset, .length = std::min(length, end - offset)});
  return {};
}

Status CrashFile::copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) {
  std::vector<std::byte> data(length);
  VDISK_TRY(source.read_at(source_offset, data));
  return write_at(target_offset, data);
}

Status CrashFile::resize(u64 new_size) {
  count_call();
  VDISK_TRY(inner().resize(new_size));
  record({.kind = Change::Kind::resize, .length = new_size});
  return {};
}

Status CrashFile::flush() {
  count_call();
  VDISK_TRY(inner().flush());
  const std::scoped_lock lock(mutex_);
  for (const Change& change : volatile_) apply(*durable_, change);
  volatile_.clear();
  return {};
}

void CrashFile::apply(MemoryFile& file, const Change& change) {
  switch (change.kind) {
    case Change::Kind::write: keep(file.write_at(change.offset, change.data)); break;
    case Change::Kind::zero: keep(file.zero_at(change.offset, change.length)); break;
    case Change::Kind::resize: keep(file.resize(change.length)); break;
  }
}

void CrashFile::apply_torn(MemoryFile& file, const Change& change, std::mt19937& random) {
  for (u64 done = 0; done < change.length; done += sector) {
    if (random() % 2 == 0) continue;
    const auto piece = std::span(change.data).subspan(done, std::min(sector, change.length - done));
    keep(file.write_at(change.offset + done, piece));
  }
}

void CrashFile::record(Change change) {
  const std::scoped_lock lock(mutex_);
  volatile_.push_back(std::move(change));
}

}  // namespace vdisk::test
