#include "crash/judge.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"

namespace vdisk::test {

namespace {

constexpr u64 piece_size = 64 * kib;

/// Visits the disk from its beginning to its end: pieces that are stored, with their bytes, and
/// ranges of zeros. Holes of the files are zeros without being read.
class ContentWalk {
 public:
  /// An answer that is not empty ends the walk.
  using OnBytes = std::function<std::string(u64 offset, std::span<const std::byte> bytes)>;
  using OnZeros = std::function<std::string(u64 offset, u64 length)>;

  explicit ContentWalk(const Disk& disk) : disk_(disk) {}

  std::string run(const OnBytes& on_bytes, const OnZeros& on_zeros) {
    for (u64 offset = 0; offset < disk_.size();) {
      const auto piece = next(offset);
      if (!piece) return piece.error().message;
      std::string wrong;
      if (piece->state == State::data) {
        buffer_.resize(piece->length);
        if (const auto read = disk_.read(offset, buffer_); !read) return read.error().message;
        wrong = on_bytes(offset, buffer_);
      } else {
        wrong = on_zeros(offset, piece->length);
      }
      if (!wrong.empty()) return wrong;
      offset += piece->length;
    }
    return {};
  }

 private:
  Result<MappedExtent> next(u64 offset) const {
    auto extent = disk_.extent_at(offset, disk_.size() - offset);
    if (!extent || extent->state != State::data) return extent;
    const auto hole = disk_.layer_file(extent->depth).next_hole(extent->file_offset);
    if (!hole) return std::unexpected(hole.error());
    const u64 stored = hole->length == 0 ? extent->length : hole->offset - extent->file_offset;
    if (stored == 0 && hole->length >= model_sector) {
      extent->state = State::zero;
      extent->length = std::min(extent->length, round_down(hole->length, model_sector));
      return extent;
    }
    const u64 wanted = std::max(model_sector, round_up(stored, model_sector));
    extent->length = std::min({extent->length, wanted, piece_size});
    return extent;
  }

  const Disk& disk_;
  std::vector<std::byte> buffer_;
};

/// Calls `visit(guest offset, value)` for every sector; foreign bytes have no value.
template <class Visit>
void for_each_value(u64 offset, std::span<const std::byte> bytes, const Visit& visit) {
  for (u64 done = 0; done < bytes.size(); done += model_sector) {
    visit(offset + done, value_of(bytes.subspan(done, model_sector), offset + done));
  }
}

bool exists(const Stage& stage, const std::string& path) {
  return stage.files().identity(path).has_value();
}

/// Findings that a crash may leave until the image is opened for writing.
bool tolerated_before_recovery(const Finding& finding) {
  return finding.severity == Severity::info ||
         (finding.severity == Severity::warning && !finding.repair.empty());
}

template <class Tolerated>
std::string judge_check(const Stage& stage, const std::string& path, const Tolerated& tolerated) {
  CheckOptions options;
  options.path = path;
  options.open = stage.options();
  Progress progress;
  const auto reports = vdisk::check(options, progress);
  if (!reports) return "check: " + reports.error().message;
  for (const Finding& finding : reports->front().report.findings) {
    if (tolerated(finding)) continue;
    return fmt::format("check: {} {}: {}", finding.id, name(finding.severity), finding.message);
  }
  return {};
}

bool nothing_worse_than_info(const Finding& finding) {
  return finding.severity == Severity::info;
}

/// What a guest does after the power came back.
std::vector<Step> more_steps(u64 size) {
  using Kind = Step::Kind;
  constexpr u64 unit = 4096;
  const u64 last = round_down(size - 1, unit);
  return {{Kind::write, 0, unit},
          {Kind::write, round_down(size / 2, unit), unit},
          {Kind::flush},
          {Kind::write, last, size - last},
          {Kind::zero, 0, round_down(size / 3, unit)},
          {Kind::flush},
          {Kind::write, round_down(size / 4, unit), unit},
          {Kind::close}};
}

std::string at(const std::string& path, std::string_view when, const std::string& wrong) {
  return wrong.empty() ? wrong : fmt::format("{} {}: {}", path, when, wrong);
}

}  // namespace

std::string judge_content(const Disk& disk, const GuestModel& model, u64& digest) {
  if (!model.admits_size(disk.size())) {
    return fmt::format("size {:#x}, expected {:#x}", disk.size(), model.size());
  }
  constexpr u64 prime = 0x100000001B3;
  digest = disk.size();
  const auto count = [&digest](u64 at, std::optional<u32> value) {
    if (value && *value != 0) digest = (digest * prime + at) * prime + *value;
  };
  return ContentWalk(disk).run(
      [&](u64 offset, std::span<const std::byte> bytes) {
        for_each_value(offset, bytes, count);
        return model.judge(offset, bytes);
      },
      [&](u64 offset, u64 length) { return model.judge_zeros(offset, length); });
}

/// What is there now is what has to stay from now on.
std::string adopt_content(const Stage& stage, const std::string& path, GuestModel& model) {
  const auto disk = Disk::open(path, stage.options());
  if (!disk) return disk.error().message;
  model = GuestModel(disk->size());
  const auto adopt = [&](u64 at, std::optional<u32> value) {
    if (value && *value != 0) model.issue(at, model_sector, *value);
  };
  auto wrong = ContentWalk(*disk).run(
      [&](u64 offset, std::span<const std::byte> bytes) {
        for_each_value(offset, bytes, adopt);
        return std::string();
      },
      [](u64, u64) { return std::string(); });
  model.settle();
  return wrong;
}

Judgement Judge::judge(const FileTree& state, const JudgeOptions& options) const {
  Judgement judgement;
  std::string& wrong = judgement.violation;
  Stage stage(state);
  std::map<std::string, u64> digests;
  wrong = look_at_names(state);
  if (wrong.empty()) wrong = look(stage, digests);
  if (!wrong.empty()) return judgement;
  if (options.record_recovery) stage.begin_recording();
  const u64 before = stage.files().changes();
  wrong = recover(stage, digests);
  if (options.record_recovery) {
    auto recording = stage.take_recording();
    if (stage.files().changes() != before) judgement.recovery = std::move(recording);
  }
  if (wrong.empty()) wrong = reopen(stage);
  judgement.recovered = stage.files().tree();
  if (wrong.empty()) wrong = look_at_names(judgement.recovered);
  if (wrong.empty() && options.live_on) {
    wrong = scenario_.job ? run_again(stage) : write_on(stage);
  }
  return judgement;
}

std::string Judge::look(Stage& stage, std::map<std::string, u64>& digests) const {
  for (const auto& [path, view] : now_.views) {
    if (!exists(stage, path)) {
      if (view.may_be_absent) continue;
      return path + ": gone";
    }
    const auto disk = Disk::open(path, stage.options());
    if (!disk) return at(path, "opened read-only", disk.error().message);
    auto wrong = judge_content(*disk, view.model, digests[path]);
    if (wrong.empty()) wrong = judge_check(stage, path, tolerated_before_recovery);
    if (!wrong.empty()) return at(path, "opened read-only", wrong);
  }
  if (stage.files().changes() != 0) return "reading wrote something";
  return now_.rule ? now_.rule(stage) : std::string();
}

std::string Judge::recover(Stage& stage, const std::map<std::string, u64>& digests) const {
  for (const auto& [path, view] : now_.views) {
    if (!exists(stage, path)) continue;
    auto disk = Disk::open(path, stage.options(Access::read_write));
    if (!disk) return at(path, "opened for writing", disk.error().message);
    u64 digest = 0;
    auto wrong = judge_content(*disk, view.model, digest);
    if (wrong.empty() && digest != digests.at(path)) wrong = "not the content seen read-only";
    if (!wrong.empty()) return at(path, "opened for writing", wrong);
    if (const auto closed = disk->close(); !closed) return at(path, "", closed.error().message);
  }
  if (!scenario_.recovery) return {};
  const auto done = scenario_.recovery(stage);
  return done ? std::string() : "recovery: " + done.error().message;
}

std::string Judge::reopen(Stage& stage) const {
  const u64 before = stage.files().changes();
  for (const auto& [path, view] : now_.views) {
    if (!exists(stage, path)) continue;
    auto disk = Disk::open(path, stage.options(Access::read_write));
    if (!disk) return at(path, "opened again", disk.error().message);
    if (const auto closed = disk->close(); !closed) return at(path, "", closed.error().message);
    auto wrong = judge_check(stage, path, nothing_worse_than_info);
    if (!wrong.empty()) return at(path, "recovered", wrong);
  }
  return stage.files().changes() == before ? std::string() : "recovery is not idempotent";
}

/// Every name is one that is expected, or one that says itself what it is.
std::string Judge::look_at_names(const FileTree& tree) const {
  for (const auto& [path, content] : now_.untouched) {
    const PagedContent* const found = tree.find(path);
    if (found == nullptr || !(*found == content)) return path + ": touched";
  }
  for (const auto& [path, number] : tree.names) {
    const bool known = now_.views.contains(path) || now_.untouched.contains(path) ||
                       now_.known_names.contains(path);
    if (!known && path.find(temporary_mark) == std::string::npos) return path + ": unknown name";
  }
  return {};
}

/// The guest goes on where it can: over what it had, into new blocks, with a flush in between.
std::string Judge::write_on(Stage& stage) const {
  const std::string& path = scenario_.disk;
  GuestModel& model = stage.expectation.views[path].model;
  if (auto wrong = adopt_content(stage, path, model); !wrong.empty()) return wrong;
  Guest guest(stage, path);
  constexpr u32 first_value = 1U << 20;
  guest.start_values_at(first_value);
  for (const Step& step : more_steps(model.size())) {
    if (const auto done = guest.perform(step); !done) {
      return fmt::format("{} after recovery: {}", describe(step), done.error().message);
    }
  }
  const auto disk = Disk::open(path, stage.options());
  if (!disk) return disk.error().message;
  u64 digest = 0;
  auto wrong = judge_content(*disk, model, digest);
  if (wrong.empty()) wrong = judge_check(stage, path, nothing_worse_than_info);
  return at(path, "after recovery and more writes", wrong);
}

/// The operation once more: it ends as if nothing had disturbed it.
std::string Judge::run_again(Stage& stage) const {
  stage.expectation = now_;
  const auto& again = scenario_.rerun ? scenario_.rerun : scenario_.job;
  if (const auto done = again(stage); !done) {
    return fmt::format("run again: {}", done.error().message);
  }
  const Judge judge(scenario_, finally_, finally_);
  std::map<std::string, u64> digests;
  Stage end(stage.files().tree());
  auto wrong = judge.look_at_names(end.files().tree());
  if (wrong.empty()) wrong = judge.look(end, digests);
  return wrong.empty() ? wrong : "run again: " + wrong;
}

}  // namespace vdisk::test
