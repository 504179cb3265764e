#include "formats/raw/raw.h"

#include <array>
#include <limits>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/raw/raw_image.h"

namespace vdisk::raw {

namespace {

constexpr std::string_view raw_name = "raw";
constexpr std::array<std::string_view, 2> raw_extensions{".raw", ".img"};
/// The largest multiple of a sector that a host file can have.
constexpr u64 largest_size = round_down(std::numeric_limits<i64>::max(), sector_size);

Match probe(const ProbeWindow&) {
  return Match::none;
}

Result<bool> needs_recovery(const File&) {
  return false;
}

Status recover(File&) {
  return {};
}

Result<std::unique_ptr<Image>> open(std::shared_ptr<File> file, const ImageOptions& options) {
  VDISK_ASSIGN(const u64 size, file->size());
  if (size > largest_size) {
    return fail(Errc::limit,
                fmt::format("raw disk: {} bytes, expected at most {} bytes", size, largest_size));
  }
  return std::make_unique<RawImage>(std::move(file), size, options);
}

/// Raw disks have no sector size of their own; both usual ones are fine.
bool is_sector_size(u32 size) {
  return size == 512 || size == 4096;
}

Status complete(CreateSpec& spec) {
  if (spec.type == ImageType::differencing || spec.parent) {
    return fail(Errc::invalid_argument, "a raw disk cannot have a parent");
  }
  if (spec.block_size) return fail(Errc::invalid_argument, "a raw disk has no block size");
  if (!is_sector_size(spec.logical_sector_size.value_or(sector_size)) ||
      !is_sector_size(spec.physical_sector_size.value_or(sector_size))) {
    return fail(Errc::invalid_argument, "sector size: expected 512 or 4096 bytes");
  }
  if (spec.virtual_size == 0 || spec.virtual_size > largest_size ||
      !is_aligned(spec.virtual_size, sector_size)) {
    return fail(Errc::invalid_argument,
                fmt::format("virtual size: {} bytes, expected a multiple of {} up to {}",
                            spec.virtual_size, sector_size, largest_size));
  }
  spec.type = ImageType::fixed;
  return {};
}

Status create(File& file, const CreateSpec& spec) {
  return file.resize(spec.virtual_size);
}

Status check(const File& file, CheckReport& report) {
  VDISK_ASSIGN(const u64 size, file.size());
  if (auto padding = describe_padding(size)) {
    report.add({std::string(odd_size_id), Severity::info, size, *std::move(padding)});
  }
  return {};
}

/// A raw disk has no structure that could be wrong.
Status repair(File&, RepairReport&) {
  return {};
}

Result<Rebuilt> rebuild(File& view, const RebuildHints& hints) {
  VDISK_ASSIGN(const u64 size, view.size());
  if (hints.virtual_size) VDISK_TRY(view.resize(*hints.virtual_size));
  return Rebuilt{.data_end = size};
}

Status dump(const File& file, const StructureSink& sink) {
  VDISK_ASSIGN(const u64 size, file.size());
  return sink({"raw disk", 0, size, {{"size", 0, size, fmt::format("{} bytes", size)}}});
}

}  // namespace

const Format format{
    .name = raw_name,
    .extensions = raw_extensions,
    .matches_any_content = true,
    .probe = probe,
    .needs_recovery = needs_recovery,
    .recover = recover,
    .open = open,
    .complete = complete,
    .create = create,
    .check = check,
    .dump = dump,
    .repair = repair,
    .rebuild = rebuild,
};

}  // namespace vdisk::raw
