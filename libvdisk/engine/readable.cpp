#include "engine/readable.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "engine/content.h"
#include "engine/layer.h"
#include "io/overlay_file.h"

namespace vdisk {

namespace {

bool is_failure_to_read(const Error& error) {
  return is_of_host(error) || kind(error.code) == ErrorKind::canceled;
}

/// The image as a reader would open it, its log replayed in memory; none when it does not open.
Result<std::unique_ptr<Image>> open_view(const Format& format, std::shared_ptr<File> file) {
  const auto absent_if_broken = [](Error error) -> Result<std::unique_ptr<Image>> {
    if (is_failure_to_read(error)) return std::unexpected(std::move(error));
    return nullptr;
  };
  auto dirty = format.needs_recovery(*file);
  if (!dirty) return absent_if_broken(std::move(dirty).error());
  if (*dirty) {
    VDISK_ASSIGN(auto overlay, OverlayFile::create(file));
    if (auto recovered = format.recover(*overlay); !recovered) {
      return absent_if_broken(std::move(recovered).error());
    }
    file = std::move(overlay);
  }
  auto image = format.open(std::move(file), {});
  if (!image) return absent_if_broken(std::move(image).error());
  return image;
}

/// A run of the guest's disk that is alike: an extent, or not readable.
struct View {
  u64 length = 0;
  bool readable = false;
  Extent extent = {};
};

/// A broken entry takes its whole block along, and nothing else.
Result<View> view_at(const Image& image, u64 offset, u64 limit) {
  auto extent = image.extent_at(offset, limit);
  if (extent) return View{extent->length, true, *extent};
  if (is_failure_to_read(extent.error())) return std::unexpected(std::move(extent).error());
  const u64 block_size = image.geometry().block_size;
  const u64 until_end = block_size == 0 ? limit : block_size - offset % block_size;
  return View{std::min(limit, until_end), false, {}};
}

class Comparison final {
 public:
  Comparison(const Image& before, const Image* after, const PlannedFile& plan)
      : before_(before),
        after_(after),
        has_parent_(before.info().parent.has_value()),
        changed_(plan.changed_ranges()) {}

  Result<ReadableComparison> run(Progress& progress) {
    const u64 size = before_.geometry().virtual_size;
    progress.expect(size);
    result_.before.virtual_size = size;
    result_.after.virtual_size = after_ == nullptr ? 0 : after_->geometry().virtual_size;
    for (u64 offset = 0; offset < size;) {
      VDISK_ASSIGN(const View before, view_at(before_, offset, size - offset));
      VDISK_ASSIGN(const View after, view_after(offset, before.length));
      const u64 length = std::min(before.length, after.length);
      VDISK_TRY(compare(offset, length, before, after));
      offset += length;
      VDISK_TRY(progress.advance(length));
    }
    return result_;
  }

 private:
  Result<View> view_after(u64 offset, u64 limit) const {
    if (offset >= result_.after.virtual_size) return View{limit, false, {}};
    return view_at(*after_, offset, std::min(limit, result_.after.virtual_size - offset));
  }

  Status compare(u64 offset, u64 length, const View& before, const View& after) {
    if (!before.readable) result_.before.unreadable_bytes += length;
    if (!after.readable) result_.after.unreadable_bytes += length;
    if (!before.readable) return {};
    if (!after.readable) return lost(offset, "could not be read any more");
    VDISK_ASSIGN(const bool equal, reads_equal(before.extent, after.extent, length));
    return equal ? Status() : lost(offset, "would read differently");
  }

  static Status lost(u64 offset, std::string_view what) {
    return fail_at(offset, Errc::internal,
                   fmt::format("the repair was refused: guest offset {:#x} {}; nothing was changed",
                               offset, what));
  }

  Result<bool> reads_equal(const Extent& before, const Extent& after, u64 length) {
    const bool stored = before.state == State::data || after.state == State::data;
    if (!stored) return before.state == after.state || !has_parent_;
    const bool same_place = before.state == after.state && before.file_offset == after.file_offset;
    if (same_place && !is_changed(before.file_offset, length)) return true;
    if (has_parent_ && (before.state == State::absent || after.state == State::absent)) {
      return false;
    }
    return same_bytes(before, after, length);
  }

  [[nodiscard]] bool is_changed(u64 offset, u64 length) const {
    const auto range = std::ranges::upper_bound(changed_, offset, {}, &PlannedRange::end);
    return range != changed_.end() && range->offset < offset + length;
  }

  /// What cannot be read from the file now is not lost by a repair.
  Result<bool> same_bytes(const Extent& before, const Extent& after, u64 length) {
    for (u64 done = 0; done < length;) {
      const u64 size = std::min(length - done, piece_size);
      const auto was_read = read(before_, before, done, old_, size);
      VDISK_TRY(read(*after_, after, done, new_, size));
      if (was_read && old_ != new_) return false;
      done += size;
    }
    return true;
  }

  static Status read(const Image& image, const Extent& extent, u64 done,
                     std::vector<std::byte>& bytes, u64 size) {
    bytes.assign(size, std::byte{});
    if (extent.state != State::data) return {};
    return image.file().read_at(extent.file_offset + done, bytes);
  }

  const Image& before_;
  const Image* const after_;
  const bool has_parent_;
  const std::vector<PlannedRange> changed_;
  ReadableComparison result_;
  std::vector<std::byte> old_;
  std::vector<std::byte> new_;
};

/// An image that does not open now has nothing to lose; what it reads afterwards is counted.
Result<ReadableComparison> survey_opened(const Image& after, Progress& progress) {
  ReadableComparison result;
  const u64 size = after.geometry().virtual_size;
  progress.expect(size);
  result.after.virtual_size = size;
  for (u64 offset = 0; offset < size;) {
    VDISK_ASSIGN(const View view, view_at(after, offset, size - offset));
    if (!view.readable) result.after.unreadable_bytes += view.length;
    offset += view.length;
    VDISK_TRY(progress.advance(view.length));
  }
  return result;
}

}  // namespace

Result<ReadableComparison> compare_readability(const Format& format, std::shared_ptr<File> file,
                                               std::shared_ptr<PlannedFile> plan,
                                               Progress& progress) {
  VDISK_ASSIGN(const auto before, open_view(format, std::move(file)));
  VDISK_ASSIGN(const auto after, open_view(format, plan));
  if (before) return Comparison(*before, after.get(), *plan).run(progress);
  if (after) return survey_opened(*after, progress);
  return ReadableComparison{};
}

}  // namespace vdisk
