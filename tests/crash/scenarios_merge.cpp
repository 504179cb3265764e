/// Merging. The leaf reads the same at every instant; a rerun finishes.
#include <fmt/format.h>

#include "base/try.h"
#include "crash/judge.h"
#include "crash/kinds.h"
#include "crash/scenario.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;

struct Merging {
  std::string id;
  bool vhdx = false;
  u64 levels = 1;  ///< merged into the base
  bool remove = false;
  bool cut = false;  ///< the leaf is smaller than the base, which gets its size
};

class MergeStage {
 public:
  explicit MergeStage(const Merging& merging)
      : merging_(merging),
        kind_(merging.vhdx ? Kind::vhdx_dynamic : Kind::vhd_dynamic),
        extension_(merging.vhdx ? ".vhdx" : ".vhd") {}

  /// Level 0 is the base.
  [[nodiscard]] std::string path(u64 level) const {
    if (level == 0) return "/disks/disk" + extension_;
    return fmt::format("/disks/level{}{}", level, extension_);
  }
  [[nodiscard]] std::string leaf() const { return path(merging_.levels); }

  /// What each level writes, by guest blocks; values count on from level to level.
  [[nodiscard]] std::vector<Step> steps(u64 level) const {
    const u64 b = block_size(kind_);
    switch (level) {
      case 0: return {{write, 0, 8 * kib}, {write, 2 * b, 4 * kib}, {write, 3 * b, b}};
      case 1:
        return {{write, 4 * kib, 4 * kib},
                {write, b + 512, 1024},
                {zero, 3 * b, b},
                {write, 4 * b, 512}};
      case 2: return {{write, 512, 512}, {zero, b, b}, {write, 4 * b, b}};
      default: return {{write, 2 * b - 512, 1024}, {write, 3 * b, 4 * kib}};
    }
  }

  void prepare(Stage& stage) const {
    constexpr u64 blocks = 5;
    make_image(stage, kind_, blocks);
    fill(stage, 0);
    for (u64 level = 1; level <= merging_.levels; ++level) {
      Target target;
      if (merging_.vhdx) target.block_size = static_cast<u32>(block_size(kind_));
      if (!merging_.vhdx) target.block_size = 512 * kib;
      stage.snapshot(path(level - 1), path(level).substr(std::string("/disks/").size()), target);
      stage.expect_view(path(level), path(level - 1));
      fill(stage, level);
    }
    if (merging_.cut) cut_leaf(stage);
    if (!merging_.remove) return;
    for (u64 level = 1; level <= merging_.levels; ++level) {
      stage.expectation.views.at(path(level)).may_be_absent = true;
    }
    stage.expectation.rule = [this_ = *this](const Stage& now) { return this_.nothing_lost(now); };
  }

  /// From its beginning on a merge may leave any of the new values in the lower layers.
  void note_begin(Stage& stage) const {
    stage.note([this_ = *this](Expectation& expectation) {
      for (u64 level = 0; level < this_.merging_.levels; ++level) {
        GuestModel& model = expectation.views.at(this_.path(level)).model;
        for (u64 above = level + 1; above <= this_.merging_.levels; ++above) {
          this_.for_each_step(above, [&model](const Step& step, u32 value) {
            model.issue(step.offset, step.length, value);
          });
        }
        if (this_.merging_.cut) model.issue_size(this_.cut_size());
      }
      return false;
    });
  }

  Status merge(Stage& stage) const {
    if (!stage.files().identity(leaf())) return {};  // an earlier run got to the end
    note_begin(stage);
    MergeOptions options;
    options.child = leaf();
    options.all = true;
    options.delete_children = merging_.remove;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(vdisk::merge(options, progress));
    stage.note([base = path(0)](Expectation& expectation) {
      expectation.views.at(base).model.settle();
      expectation.views.at(base).model.settle_size();
      return true;
    });
    return {};
  }

 private:
  template <class Visit>
  void for_each_step(u64 level, const Visit& visit) const {
    u32 value = first_value(level);
    for (const Step& step : steps(level)) visit(step, step.kind == zero ? 0 : ++value);
  }
  [[nodiscard]] static u32 first_value(u64 level) { return static_cast<u32>(100 * level); }

  void fill(Stage& stage, u64 level) const {
    Guest guest(stage, path(level));
    guest.start_values_at(first_value(level));
    auto all = steps(level);
    all.push_back({close});
    for (const Step& step : all) {
      if (!guest.perform(step)) throw std::runtime_error(describe(step));
    }
  }

  /// Inside a block that the leaf holds a part of.
  [[nodiscard]] u64 cut_size() const { return 3 * block_size(kind_) + 1024; }

  void cut_leaf(Stage& stage) const {
    ShrinkOptions options;
    options.path = leaf();
    options.size = cut_size();
    options.allow_data_loss = true;
    options.open = stage.options();
    Progress progress;
    const auto shrunk = vdisk::shrink(options, progress);
    if (!shrunk) throw std::runtime_error(shrunk.error().message);
    GuestModel& model = stage.expectation.views.at(leaf()).model;
    model.issue_size(cut_size());
    model.settle_size();
  }

  /// A leaf that is gone has left everything in the base.
  [[nodiscard]] std::string nothing_lost(const Stage& now) const {
    if (now.files().identity(leaf())) return {};
    const auto disk = Disk::open(path(0), now.options());
    if (!disk) return disk.error().message;
    GuestModel model(disk->size());
    for (u64 level = 0; level <= merging_.levels; ++level) {
      for_each_step(level, [&model](const Step& step, u32 value) {
        model.issue(step.offset, step.length, value);
      });
    }
    model.settle();
    u64 digest = 0;
    return judge_content(*disk, model, digest);
  }

  Merging merging_;
  Kind kind_;
  std::string extension_;
};

Scenario merge(const Merging& merging) {
  const MergeStage merge_stage(merging);
  Scenario scenario;
  scenario.id = merging.id;
  scenario.title =
      fmt::format("merge {} level{} of {}{}{}", merging.levels, merging.levels == 1 ? "" : "s",
                  merging.vhdx ? "VHDX" : "VHD", merging.remove ? ", children removed" : "",
                  merging.cut ? " into a larger parent" : "");
  scenario.prepare = [merge_stage](Stage& stage) { merge_stage.prepare(stage); };
  scenario.job = [merge_stage](Stage& stage) { return merge_stage.merge(stage); };
  return scenario;
}

}  // namespace

std::vector<Scenario> merge_scenarios() {
  std::vector<Scenario> scenarios;
  for (const bool vhdx : {false, true}) {
    scenarios.push_back(merge({.id = vhdx ? "X-21" : "X-20", .vhdx = vhdx}));
    scenarios.push_back(merge({.id = vhdx ? "X-21" : "X-20", .vhdx = vhdx, .remove = true}));
    scenarios.push_back(merge({.id = "X-22", .vhdx = vhdx, .levels = 3}));
    scenarios.push_back(merge({.id = "X-22", .vhdx = vhdx, .levels = 2, .remove = true}));
  }
  scenarios.push_back(merge({.id = "X-21", .vhdx = true, .cut = true}));
  return scenarios;
}

}  // namespace vdisk::test
