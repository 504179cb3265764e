#include "formats/vhdx/replay.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/file_identifier.h"
#include "formats/vhdx/layout.h"
#include "formats/vhdx/log_updates.h"
#include "formats/vhdx/replayed_file.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// What one logged page can add to the file: 512 BAT entries that each place a largest block.
constexpr u64 growth_per_page = log_sector_size / bat_entry_size * max_block_size;
/// What a moved region can add besides.
constexpr u64 growth_per_sequence = 4 * gib;

Result<HeaderPair> read_valid_headers(const File& file) {
  VDISK_TRY(read_file_identifier(file));
  VDISK_ASSIGN(const u64 size, file.size());
  VDISK_ASSIGN(const HeaderPair headers, read_headers(file));
  VDISK_TRY(validate(headers, size));
  return headers;
}

/// X14: 4 KiB aligned, behind the headers, outside the log, inside the file as it will be.
class TargetRules {
 public:
  TargetRules(const Header& header, u64 end) : header_(header), end_(end) {}

  Status validate(const LogDescriptor& target) {
    if (++count_ > max_replay_descriptors) {
      return broken(55, Errc::limit, header_.log_offset,
                    fmt::format("log at {:#x}: more than {} descriptors to replay, expected fewer",
                                header_.log_offset, max_replay_descriptors));
    }
    data_count_ += target.is_zero ? 0 : 1;
    const bool in_place =
        is_aligned(target.file_offset, log_sector_size) &&
        is_aligned(target.length, log_sector_size) &&
        lies_within(target.file_offset, target.length, first_log_target, end_) &&
        !overlaps(target.file_offset, target.length, header_.log_offset, header_.log_length);
    if (in_place) return {};
    return broken(14, Errc::corrupt, header_.log_offset,
                  fmt::format("log at {:#x}: {} of {:#x} bytes to {:#x}, expected whole pages "
                              "between {:#x} and {:#x} outside the log",
                              header_.log_offset, target.is_zero ? "zeros" : "a page",
                              target.length, target.file_offset, first_log_target, end_));
  }
  [[nodiscard]] u64 data_count() const { return data_count_; }

 private:
  const Header& header_;
  const u64 end_;
  u64 count_ = 0;
  u64 data_count_ = 0;
};

/// X12, X15: the file has not lost its end, and what the log claims as its end is not absurd.
Status validate_file_size(const RecoveryPlan& plan, u64 file_size) {
  const u64 place = plan.headers.current.log_offset;
  if (plan.sequence.flushed_file_offset > file_size) {
    return broken(12, Errc::file_size_invalid, place,
                  fmt::format("log at {:#x}: FlushedFileOffset {:#x}, expected at most the file's "
                              "{:#x} bytes",
                              place, plan.sequence.flushed_file_offset, file_size));
  }
  if (plan.sequence.last_file_offset <= std::max(file_size, largest_file_size)) return {};
  return broken(15, Errc::corrupt, place,
                fmt::format("log at {:#x}: LastFileOffset {:#x}, expected at most 256 TiB", place,
                            plan.sequence.last_file_offset));
}

Status validate_growth(const RecoveryPlan& plan, u64 file_size, u64 page_count) {
  const u64 plausible = file_size + growth_per_sequence + page_count * growth_per_page;
  if (plan.final_size <= plausible) return {};
  const u64 place = plan.headers.current.log_offset;
  return broken(
      15, Errc::corrupt, place,
      fmt::format("log at {:#x}: LastFileOffset {:#x}, expected at most {:#x} for {} "
                  "logged pages and a file of {:#x} bytes",
                  place, plan.sequence.last_file_offset, plausible, page_count, file_size));
}

/// The state that the replay would leave must open, or the file stays untouched.
Status validate_outcome(const File& file, const RecoveryPlan& plan) {
  VDISK_ASSIGN(const auto view,
               ReplayedFile::build(file, plan.headers.current, plan.sequence, plan.final_size));
  VDISK_TRY(read_layout(*view, {.ignore_dirty_log = true}));
  return {};
}

Status apply(File& file, const RecoveryPlan& plan) {
  const Header& header = plan.headers.current;
  VDISK_TRY(visit_log_updates(file, header, plan.sequence.entries,
                              [&file, &header](const LogUpdate& update) -> Status {
                                const LogDescriptor& target = update.descriptor;
                                if (target.is_zero)
                                  return file.zero_at(target.file_offset, target.length);
                                VDISK_ASSIGN(const auto page, read_page(file, header, update));
                                return file.write_at(target.file_offset, page);
                              }));
  VDISK_ASSIGN(const u64 size, file.size());
  return size < plan.final_size ? file.resize(plan.final_size) : Status();
}

Status require_sequence_numbers(const HeaderPair& headers) {
  constexpr u64 last = std::numeric_limits<u64>::max() - min_sequence_numbers_left;
  if (headers.current.sequence_number <= last) return {};
  return fail_at(headers.current_offset(), Errc::wrong_state,
                 fmt::format("header at {:#x}: sequence number {}, expected room for updates",
                             headers.current_offset(), headers.current.sequence_number));
}

}  // namespace

Result<bool> needs_recovery(const File& file) {
  VDISK_ASSIGN(const HeaderPair headers, read_valid_headers(file));
  return !headers.current.log_guid.is_zero();
}

Result<RecoveryPlan> plan_recovery(const File& file) {
  RecoveryPlan plan;
  VDISK_ASSIGN(plan.headers, read_valid_headers(file));
  VDISK_ASSIGN(const u64 file_size, file.size());
  VDISK_ASSIGN(plan.sequence, find_active_sequence(file, plan.headers.current));
  VDISK_TRY(validate_file_size(plan, file_size));
  plan.final_size = std::max(file_size, round_up(plan.sequence.last_file_offset, region_alignment));
  TargetRules rules(plan.headers.current, round_up(plan.final_size, log_sector_size));
  VDISK_TRY(visit_log_updates(
      file, plan.headers.current, plan.sequence.entries,
      [&rules](const LogUpdate& update) { return rules.validate(update.descriptor); }));
  VDISK_TRY(validate_growth(plan, file_size, rules.data_count()));
  return plan;
}

Status recover(File& file) {
  VDISK_ASSIGN(const bool dirty, needs_recovery(file));
  if (!dirty) return {};
  VDISK_ASSIGN(RecoveryPlan plan, plan_recovery(file));
  VDISK_TRY(require_sequence_numbers(plan.headers));
  VDISK_TRY(validate_outcome(file, plan));
  Header next = plan.headers.current;
  next.file_write_guid = random_guid();  // before any other byte changes (2.3.1)
  VDISK_TRY(update_header(file, plan.headers, next));
  VDISK_TRY(apply(file, plan));
  VDISK_TRY(file.flush());
  next.log_guid = {};
  VDISK_TRY(update_header(file, plan.headers, next));
  return update_header(file, plan.headers, next);
}

}  // namespace vdisk::vhdx
