/// Maintenance. Shrinking leaves the old or the new size; compacting changes
/// nothing that a guest or a child can see, whenever it stops.
#include <fmt/format.h>

#include "base/try.h"
#include "crash/kinds.h"
#include "crash/scenario.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;

constexpr u64 blocks = 6;

std::string path_of(Kind kind) {
  return is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
}

/// Blocks stored from the last to the first, zeros in two of them, a hole where one was.
void prepare_scattered(Stage& stage, Kind kind) {
  const u64 b = block_size(kind);
  const auto path = make_image(stage, kind, blocks);
  set_up(stage, path,
         {{write, 5 * b, 4 * kib},
          {write, 4 * b, b},
          {write, 3 * b + 512, 1024},
          {write, 2 * b, b},
          {write, b, 4 * kib},
          {write, 0, b},
          {zero, 4 * b, 512},
          {flush},
          {discard, 2 * b, b},
          {zero, b, b},
          {close}});
}

Scenario compact(Kind kind, bool copy) {
  const std::string path = path_of(kind);
  Scenario scenario;
  scenario.id = copy ? "X-24" : "X-23";
  scenario.title = fmt::format("compact {}{}", name(kind), copy ? " by a copy" : "");
  scenario.others_can_read = !is_child(kind);
  scenario.prepare = [kind](Stage& stage) { prepare_scattered(stage, kind); };
  scenario.job = [path, copy](Stage& stage) -> Status {
    CompactOptions options;
    options.path = path;
    options.copy = copy;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(vdisk::compact(options, progress));
    return {};
  };
  return scenario;
}

struct Cut {
  Kind kind = Kind::vhd_dynamic;
  std::string title;
  u64 new_size = 0;
};

Scenario shrink(const Cut& cut) {
  const std::string path = path_of(cut.kind);
  Scenario scenario;
  scenario.id = "X-19";
  scenario.title = fmt::format("shrink {}: {}", name(cut.kind), cut.title);
  scenario.others_can_read = !is_child(cut.kind);
  scenario.prepare = [cut](Stage& stage) { prepare_scattered(stage, cut.kind); };
  scenario.job = [path, cut](Stage& stage) -> Status {
    stage.note([path, cut](Expectation& expectation) {
      expectation.views.at(path).model.issue_size(cut.new_size);
      return false;
    });
    ShrinkOptions options;
    options.path = path;
    options.size = cut.new_size;
    options.allow_data_loss = true;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(vdisk::shrink(options, progress));
    stage.note([path](Expectation& expectation) {
      expectation.views.at(path).model.settle_size();
      return true;
    });
    return {};
  };
  return scenario;
}

}  // namespace

std::vector<Scenario> maintenance_scenarios() {
  std::vector<Scenario> scenarios;
  for (const Kind kind :
       {Kind::vhd_dynamic, Kind::vhd_child, Kind::vhdx_dynamic, Kind::vhdx_child}) {
    for (const bool copy : {false, true}) scenarios.push_back(compact(kind, copy));
  }
  for (const Kind kind : {Kind::vhd_fixed, Kind::vhd_dynamic, Kind::vhdx_fixed, Kind::vhdx_dynamic,
                          Kind::vhdx_child}) {
    const u64 b = block_size(kind);
    scenarios.push_back(shrink({kind, "to whole blocks", 3 * b}));
    scenarios.push_back(shrink({kind, "inside a block", 3 * b + 1024}));
    scenarios.push_back(shrink({kind, "by one sector", blocks * b - 512}));
  }
  return scenarios;
}

}  // namespace vdisk::test
