/// Growing disks, closed and in the middle of a session. Also X-16, the replay.
#include <stdexcept>

#include <fmt/format.h>

#include "base/try.h"
#include "crash/kinds.h"
#include "crash/scenario.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;

struct Growth {
  std::string id;
  std::string title;
  Kind kind = Kind::vhd_dynamic;
  u64 blocks = 5;
  u64 extra = 0;
  u64 new_size = 0;
  u64 gap = 0;  ///< before the footer of a fixed VHD: an earlier growth was interrupted
};

std::string path_of(Kind kind) {
  return is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
}

/// The footer stands further behind than the disk ends.
void move_footer(Stage& stage, const std::string& path, u64 gap) {
  const auto file = stage.files().open(path, {.access = Access::read_write});
  std::vector<std::byte> footer(512);
  const u64 end = *(*file)->size();
  if (!(*file)->read_at(end - 512, footer) || !(*file)->write_at(end - 512 + gap, footer)) {
    throw std::runtime_error(path);
  }
}

void prepare(Stage& stage, const Growth& growth) {
  const u64 b = block_size(growth.kind);
  const u64 size = growth.blocks * b + growth.extra;
  const auto path = make_image(stage, growth.kind, growth.blocks, growth.extra);
  set_up(stage, path,
         {{write, 0, 4 * kib}, {write, b, 4 * kib}, {write, size - 512, 512}, {close}});
  if (growth.gap != 0) move_footer(stage, path, growth.gap);
}

Scenario expand(const Growth& growth) {
  const std::string path = path_of(growth.kind);
  Scenario scenario;
  scenario.id = growth.id;
  scenario.title = fmt::format("expand {}: {}", name(growth.kind), growth.title);
  scenario.others_can_read = !is_child(growth.kind) && growth.new_size < gib;
  scenario.prepare = [growth](Stage& stage) { prepare(stage, growth); };
  scenario.job = [path, growth](Stage& stage) -> Status {
    stage.note([path, growth](Expectation& expectation) {
      expectation.views.at(path).model.issue_size(growth.new_size);
      return false;
    });
    ExpandOptions options;
    options.path = path;
    options.size = growth.new_size;
    options.open = stage.options();
    Progress progress;
    VDISK_TRY(vdisk::expand(options, progress));
    stage.note([path](Expectation& expectation) {
      expectation.views.at(path).model.settle_size();
      return true;
    });
    return {};
  };
  return scenario;
}

/// The disk grows while its guest uses it.
Scenario grow_in_session(const Growth& growth) {
  const u64 b = block_size(growth.kind);
  Scenario scenario;
  scenario.id = growth.id;
  scenario.title = fmt::format("grow {} in use: {}", name(growth.kind), growth.title);
  scenario.others_can_read = !is_child(growth.kind) && growth.new_size < gib;
  scenario.disk = path_of(growth.kind);
  scenario.prepare = [growth](Stage& stage) { prepare(stage, growth); };
  scenario.steps = {{write, 2 * b, 1024},
                    {write, 0, 512},
                    {grow, growth.new_size},
                    {write, growth.new_size - 512, 512},
                    {write, 3 * b, 512},
                    {flush},
                    {grow, growth.new_size + b},
                    {write, growth.new_size, 512},
                    {close}};
  return scenario;
}

/// A session that died after a flush: the log holds what is not in place.
Scenario replay(Kind kind) {
  const std::string path = path_of(kind);
  Scenario scenario;
  scenario.id = "X-16";
  scenario.title = fmt::format("{}: replay of the log", name(kind));
  scenario.prepare = [kind, path](Stage& stage) {
    make_image(stage, kind, 6);
    Guest guest(stage, path);
    const std::vector<Step> steps{
        {write, mib, 4 * kib}, {flush}, {write, 3 * mib + 512, 4 * kib}, {zero, mib, mib}, {flush},
        {write, 4 * mib, 512}, {flush}};
    for (const Step& step : steps) (void)guest.perform(step);
  };
  scenario.job = [path](Stage& stage) -> Status {
    VDISK_ASSIGN(auto disk, Disk::open(path, stage.options(Access::read_write)));
    return disk.close();
  };
  return scenario;
}

}  // namespace

std::vector<Scenario> expand_scenarios() {
  constexpr u64 vhd = 16 * kib;
  const std::vector<Growth> growths{
      {"X-17", "room behind the BAT", Kind::vhd_dynamic, 5, 512, 9 * vhd},
      {"X-17", "the BAT moves", Kind::vhd_dynamic, 5, 512, 400 * vhd},
      {"X-17", "room behind the BAT", Kind::vhd_child, 5, 512, 9 * vhd},
      {"X-17", "the BAT moves", Kind::vhd_child, 5, 0, 400 * vhd},
      {"X-17", "by one sector", Kind::vhd_fixed, 5, 0, 5 * vhd + 512},
      {"X-17", "by much", Kind::vhd_fixed, 5, 0, 30 * vhd},
      {"X-17", "a second time", Kind::vhd_fixed, 5, 0, 9 * vhd, 1024},
      {"X-17", "a second time, less", Kind::vhd_fixed, 5, 0, 6 * vhd, 3 * vhd},
      {"X-17", "a second time, as much", Kind::vhd_fixed, 5, 0, 6 * vhd, vhd + 512},
      {"X-18", "inside the BAT region", Kind::vhdx_dynamic, 5, 512, 9 * mib},
      {"X-18", "inside the BAT region", Kind::vhdx_child, 5, 512, 9 * mib},
      {"X-18", "beyond the BAT region", Kind::vhdx_dynamic, 5, 512, 150 * gib},
      {"X-18", "beyond the BAT region", Kind::vhdx_child, 5, 512, 150 * gib},
      {"X-18", "inside the BAT region", Kind::vhdx_fixed, 5, 0, 9 * mib},
  };
  std::vector<Scenario> scenarios{replay(Kind::vhdx_dynamic), replay(Kind::vhdx_child)};
  for (const Growth& growth : growths) {
    scenarios.push_back(expand(growth));
    scenarios.push_back(grow_in_session(growth));
  }
  return scenarios;
}

}  // namespace vdisk::test
