#include "repair/damaged_images.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/same_bytes.h"
#include "io/overlay_file.h"

namespace vdisk::test {

namespace {
constexpr u64 sector_size = 512;
/// Blocks of the images are multiples of this: a broken entry takes its whole block along.
constexpr u64 step_over_broken = 4 * kib;

std::unique_ptr<Image> open_for_reading(const Format& format, std::shared_ptr<File> file) {
  const auto dirty = format.needs_recovery(*file);
  if (!dirty) return nullptr;
  if (*dirty) {
    auto overlay = OverlayFile::create(file);
    if (!overlay || !format.recover(**overlay)) return nullptr;
    file = *overlay;
  }
  auto image = format.open(std::move(file), {});
  return image ? *std::move(image) : nullptr;
}

void add_run(const Image& image, const Extent& extent, Content& content) {
  ContentRun run{.offset = extent.offset, .length = extent.length};
  run.of_parent = extent.state == State::absent && image.info().parent.has_value();
  if (extent.state == State::data) {
    run.bytes.resize(extent.length);
    if (!image.file().read_at(extent.file_offset, run.bytes)) return;
    if (is_zero(run.bytes)) run.bytes.clear();
  }
  content.runs.push_back(std::move(run));
}

/// The run that holds this byte; null: it cannot be read.
const ContentRun* run_at(const Content& content, u64 offset) {
  const auto behind = std::ranges::upper_bound(content.runs, offset, {}, &ContentRun::offset);
  if (behind == content.runs.begin()) return nullptr;
  const ContentRun& run = *std::prev(behind);
  return offset < run.end() ? &run : nullptr;
}

bool same_range(const ContentRun& a, const ContentRun& b, u64 offset, u64 length) {
  if (a.of_parent != b.of_parent) return false;
  const auto part = [&](const ContentRun& run) {
    return std::span(run.bytes).subspan(offset - run.offset, length);
  };
  if (a.bytes.empty()) return b.bytes.empty() || is_zero(part(b));
  return b.bytes.empty() ? is_zero(part(a)) : same_bytes(part(a), part(b));
}

}  // namespace

std::vector<DamagedImage> damaged_images() {
  auto images = damaged_vhd_images();
  for (DamagedImage& image : damaged_vhdx_images()) images.push_back(std::move(image));
  return images;
}

std::string summary_of(const CheckReport& report) {
  std::string text;
  for (const Finding& finding : report.findings) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(finding.severity), finding.id);
  }
  return text;
}

CheckReport check_file(const Format& format, const File& file) {
  CheckReport report;
  const auto checked = format.check(file, report);
  if (!checked) report.add({checked.error().message, Severity::error, 0, {}, {}});
  return report;
}

Content read_content(const Format& format, std::shared_ptr<File> file) {
  Content content;
  const auto image = open_for_reading(format, std::move(file));
  if (!image) return content;
  content.virtual_size = image->geometry().virtual_size;
  const u64 end = round_down(content.virtual_size, sector_size);
  for (u64 offset = 0; offset < end;) {
    const auto extent = image->extent_at(offset, end - offset);
    const u64 length = extent ? extent->length : step_over_broken - offset % step_over_broken;
    if (extent) add_run(*image, *extent, content);
    offset += length;
  }
  return content;
}

long long first_lost_byte(const Content& before, const Content& after) {
  for (const ContentRun& run : before.runs) {
    for (u64 offset = run.offset; offset < run.end();) {
      const ContentRun* const now = run_at(after, offset);
      if (now == nullptr) return static_cast<long long>(offset);
      const u64 length = std::min(run.end(), now->end()) - offset;
      if (!same_range(run, *now, offset, length)) return static_cast<long long>(offset);
      offset += length;
    }
  }
  return -1;
}

}  // namespace vdisk::test
