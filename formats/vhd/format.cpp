/// The row of the format: recognising and opening images.
#include <algorithm>

#include "base/try.h"
#include "formats/vhd/block_scan.h"
#include "formats/vhd/check.h"
#include "formats/vhd/create.h"
#include "formats/vhd/dump.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/image_fixed.h"
#include "formats/vhd/image_sparse.h"
#include "formats/vhd/rebuild.h"
#include "formats/vhd/repair.h"
#include "formats/vhd/stranded_footer.h"
#include "formats/vhd/vhd.h"

namespace vdisk::vhd {

namespace {

constexpr std::string_view extensions[] = {".vhd", ".avhd"};

FooterState state_at_end(const ProbeWindow& window) {
  if (window.tail.size() < footer_size) return FooterState::missing;
  const FooterState state = classify_footer(window.tail.last(footer_size));
  if (state != FooterState::missing) return state;
  if (window.file_size % sector_size != legacy_footer_size) return FooterState::missing;
  return classify_footer(window.tail.last(legacy_footer_size));
}

FooterState state_at_start(const ProbeWindow& window) {
  if (window.head.size() < footer_size) return FooterState::missing;
  return classify_footer(window.head.first(footer_size));
}

/// A sound footer at the end is out of a guest's reach; everything else may be a guest's doing, or
/// an image whose end footer was lost.
Match probe_vhd(const ProbeWindow& window) {
  if (window.file_size < smallest_file) return Match::none;
  const FooterState end = state_at_end(window);
  if (end == FooterState::valid) return Match::tail;
  const FooterState start = state_at_start(window);
  const bool cookie = end != FooterState::missing || start != FooterState::missing;
  return cookie ? Match::head : Match::none;
}

/// Growing a fixed disk was interrupted before the footer was at the new end.
Result<bool> lost_signature(const File& file) {
  VDISK_ASSIGN(const u64 size, file.size());
  VDISK_ASSIGN(const auto stranded, find_stranded_footer(file, size));
  return stranded.has_value();
}

Result<bool> needs_no_recovery(const File&) {
  return false;
}

Status recover_nothing(File&) {
  return {};
}

/// Writing is refused before anything is changed: a repair needs a BAT that is sound.
Status prepare_for_writing(File& file, Survey& survey) {
  if (const Error* refusal = survey.verdict.write_refusal()) return std::unexpected(*refusal);
  if (survey.layout.repair == FooterRepair::none) return {};
  if (survey.layout.footer.is_sparse()) {
    VDISK_TRY(scan_for_writing(file, survey.layout));
  }
  return repair_footers(file, survey.layout);
}

Result<std::unique_ptr<Image>> open_image(std::shared_ptr<File> file, const ImageOptions& options) {
  VDISK_ASSIGN(Survey result, survey(*file, options.vhd_size));
  if (const Error* rejection = result.verdict.rejection()) return std::unexpected(*rejection);
  if (options.access == Access::read_write) VDISK_TRY(prepare_for_writing(*file, result));
  if (result.layout.footer.is_sparse()) {
    return std::make_unique<SparseImage>(std::move(file), options, std::move(result));
  }
  return std::make_unique<FixedImage>(std::move(file), options, std::move(result));
}

}  // namespace

const Format format{
    .name = "vhd",
    .extensions = extensions,
    .children_know_times = true,
    .probe = probe_vhd,
    .needs_recovery = needs_no_recovery,
    .recover = recover_nothing,
    .open = open_image,
    .complete = complete_spec,
    .create = create_image,
    .check = check_image,
    .dump = dump_image,
    .repair = repair_image,
    .rebuild = rebuild_image,
    .lost_signature = lost_signature,
};

}  // namespace vdisk::vhd
