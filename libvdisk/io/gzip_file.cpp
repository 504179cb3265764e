#include "io/gzip_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "io/inflater.h"

namespace vdisk {

namespace {

constexpr std::array<std::byte, 3> magic{std::byte{0x1F}, std::byte{0x8B}, std::byte{8}};
constexpr u64 first_spacing = 4 * mib;
/// With windows of at most 32 KiB each, that is 32 MiB; then every other point is dropped.
constexpr std::size_t most_points = 1024;
constexpr std::size_t scratch_size = 256 * kib;

}  // namespace

bool GzipFile::matches(std::span<const std::byte> head) {
  return head.size() >= magic.size() && std::ranges::equal(head.first(magic.size()), magic);
}

GzipFile::GzipFile(std::shared_ptr<const File> base)
    : base_(std::move(base)), spacing_(first_spacing) {}

GzipFile::~GzipFile() = default;

Result<std::shared_ptr<GzipFile>> GzipFile::open(std::shared_ptr<const File> base,
                                                 Progress& progress) {
  std::shared_ptr<GzipFile> file(new GzipFile(std::move(base)));
  VDISK_TRY(file->scan(progress));
  return file;
}

Status GzipFile::scan(Progress& progress) {
  VDISK_ASSIGN(const u64 base_size, base_->size());
  progress.phase("unpack");
  progress.expect(std::max<u64>(base_size, 1));
  inflater_ = std::make_unique<Inflater>(*base_, base_size);
  points_.emplace_back();
  VDISK_TRY(inflater_->begin(points_.front()));
  std::vector<std::byte> scratch(scratch_size);
  for (u64 told = 0; !inflater_->finished();) {
    VDISK_ASSIGN(const auto step, inflater_->step(scratch, true));
    if (step.at_point && inflater_->out() - points_.back().out >= spacing_) {
      remember(inflater_->point());
    }
    const u64 in = inflater_->in();
    VDISK_TRY(progress.advance(in - told));
    told = in;
  }
  size_ = inflater_->out();
  return {};
}

void GzipFile::remember(InflatePoint point) {
  points_.push_back(std::move(point));
  if (points_.size() < most_points) return;
  std::size_t kept = 0;
  for (std::size_t index = 0; index < points_.size(); index += 2) {
    points_[kept++] = std::move(points_[index]);
  }
  points_.resize(kept);
  spacing_ *= 2;
}

Status GzipFile::read_at(u64 offset, std::span<std::byte> out) const {
  if (!lies_within(offset, out.size(), 0, size_)) {
    return fail_at(offset, Errc::end_of_file,
                   fmt::format("{}: read of {} bytes at {:#x}: the file ends at {:#x}", name(),
                               out.size(), offset, size_));
  }
  const std::lock_guard lock(mutex_);
  VDISK_TRY(seek(offset));
  while (!out.empty()) {
    VDISK_ASSIGN(const auto step, inflater_->step(out, false));
    if (step.produced == 0) {
      return fail_at(offset, Errc::end_of_file,
                     fmt::format("{}: became shorter while it was read", name()));
    }
    out = out.subspan(step.produced);
  }
  return {};
}

Status GzipFile::seek(u64 offset) const {
  const auto behind = std::ranges::upper_bound(points_, offset, {}, &InflatePoint::out);
  const InflatePoint& nearest = *std::prev(behind);  // the first one is at 0
  const bool forwards = inflater_->out() <= offset && inflater_->out() >= nearest.out;
  if (!forwards) VDISK_TRY(inflater_->begin(nearest));
  std::vector<std::byte> scratch(std::min<u64>(offset - inflater_->out(), scratch_size));
  while (inflater_->out() < offset) {
    const u64 count = std::min<u64>(offset - inflater_->out(), scratch.size());
    VDISK_ASSIGN(const auto step, inflater_->step(std::span(scratch).first(count), false));
    if (step.produced == 0) {
      return fail_at(offset, Errc::end_of_file,
                     fmt::format("{}: became shorter while it was read", name()));
    }
  }
  return {};
}

Status GzipFile::refuse_write() const {
  return fail(Errc::write_protected, fmt::format("{}: compressed, expected only reads", name()));
}
Status GzipFile::write_at(u64, std::span<const std::byte>) {
  return refuse_write();
}
Status GzipFile::zero_at(u64, u64) {
  return refuse_write();
}
Status GzipFile::punch_at(u64, u64) {
  return refuse_write();
}
Status GzipFile::copy_from(const File&, u64, u64, u64) {
  return refuse_write();
}
Status GzipFile::resize(u64) {
  return refuse_write();
}

}  // namespace vdisk
