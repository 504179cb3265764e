#include "engine/observed_file.h"

#include <fmt/format.h>

#include "base/try.h"

namespace vdisk {

namespace {

std::unexpected<Error> refuse_change(const File& file) {
  return fail(Errc::write_protected, fmt::format("{}: opened for reading only", file.name()));
}

}  // namespace

ObservedFile::ObservedFile(const File& inner, Progress& progress)
    : inner_(inner), progress_(progress) {
  progress_.expect(inner.allocated_size().value_or(1));
}

Status ObservedFile::read_at(u64 offset, std::span<std::byte> out) const {
  VDISK_TRY(progress_.advance(out.size()));
  return inner_.read_at(offset, out);
}

/// Walking over millions of holes takes long without reading a byte.
Result<Hole> ObservedFile::next_hole(u64 offset) const {
  VDISK_TRY(progress_.advance(0));
  return inner_.next_hole(offset);
}

Status ObservedFile::write_at(u64, std::span<const std::byte>) {
  return refuse_change(inner_);
}
Status ObservedFile::zero_at(u64, u64) {
  return refuse_change(inner_);
}
Status ObservedFile::punch_at(u64, u64) {
  return refuse_change(inner_);
}
Status ObservedFile::copy_from(const File&, u64, u64, u64) {
  return refuse_change(inner_);
}
Status ObservedFile::resize(u64) {
  return refuse_change(inner_);
}
Status ObservedFile::flush() {
  return refuse_change(inner_);
}

}  // namespace vdisk
