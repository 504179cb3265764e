#include "repair/damaged_images.h"

#include <algorithm>

#include <fmt/format.h>

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
  const auto out = std::span(content.bytes).subspan(extent.offset, extent.length);
  if (extent.state == State::data && !image.file().read_at(extent.file_offset, out)) return;
  const bool of_parent = extent.state == State::absent && image.info().parent.has_value();
  for (u64 n = extent.offset / sector_size; n < (extent.offset + extent.length) / sector_size;
       ++n) {
    content.readable[n] = true;
    content.from_parent[n] = of_parent;
  }
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
  const u64 sectors = image->geometry().virtual_size / sector_size;
  content.virtual_size = image->geometry().virtual_size;
  content.readable.resize(sectors);
  content.from_parent.resize(sectors);
  content.bytes.resize(sectors * sector_size);
  const u64 end = sectors * sector_size;
  for (u64 offset = 0; offset < end;) {
    const auto extent = image->extent_at(offset, end - offset);
    const u64 length = extent ? extent->length : step_over_broken - offset % step_over_broken;
    if (extent) add_run(*image, *extent, content);
    offset += length;
  }
  return content;
}

long long first_lost_sector(const Content& before, const Content& after) {
  for (u64 n = 0; n < before.readable.size(); ++n) {
    if (!before.readable[n]) continue;
    const bool kept = n < after.readable.size() && after.readable[n] &&
                      before.from_parent[n] == after.from_parent[n];
    if (!kept) return static_cast<long long>(n);
    const auto was = std::span(before.bytes).subspan(n * sector_size, sector_size);
    const auto is = std::span(after.bytes).subspan(n * sector_size, sector_size);
    if (!same_bytes(was, is)) return static_cast<long long>(n);
  }
  return -1;
}

}  // namespace vdisk::test
