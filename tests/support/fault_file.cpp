#include "support/fault_file.h"

#include <fmt/format.h>

#include "base/try.h"

namespace vdisk::test {

void FaultFile::inject(const Fault& fault) {
  fault_ = fault;
  armed_ = true;
  calls_ = 0;
  failures_ = 0;
}

void FaultFile::heal() {
  armed_ = false;
}

Status FaultFile::read_at(u64 offset, std::span<std::byte> out) const {
  VDISK_TRY(pass(FaultyCall::read, offset));
  return inner().read_at(offset, out);
}

Status FaultFile::write_at(u64 offset, std::span<const std::byte> data) {
  VDISK_TRY(pass_change(FaultyCall::write, offset));
  return inner().write_at(offset, data);
}

Status FaultFile::zero_at(u64 offset, u64 length) {
  VDISK_TRY(pass_change(FaultyCall::write, offset));
  return inner().zero_at(offset, length);
}

Status FaultFile::punch_at(u64 offset, u64 length) {
  VDISK_TRY(pass_change(FaultyCall::write, offset));
  return inner().punch_at(offset, length);
}

Status FaultFile::copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) {
  VDISK_TRY(pass_change(FaultyCall::write, target_offset));
  return inner().copy_from(source, source_offset, target_offset, length);
}

Status FaultFile::resize(u64 new_size) {
  VDISK_TRY(pass_change(FaultyCall::resize, new_size));
  return inner().resize(new_size);
}

Status FaultFile::flush() {
  if (auto passed = pass_change(FaultyCall::flush, 0); !passed) {
    poisoned_ = true;
    return passed;
  }
  return inner().flush();
}

Status FaultFile::pass(FaultyCall call, u64 offset) const {
  if (!armed_ || call != fault_.call) return {};
  const u64 index = calls_++;
  if (index < fault_.index || (index > fault_.index && !fault_.for_ever)) return {};
  ++failures_;
  return fail_at(offset, fault_.code, fmt::format("{}: injected fault at {:#x}", name(), offset));
}

Status FaultFile::pass_change(FaultyCall call, u64 offset) const {
  if (poisoned_) return fail(Errc::poisoned, fmt::format("{}: an earlier flush failed", name()));
  return pass(call, offset);
}

}  // namespace vdisk::test
