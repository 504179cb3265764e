/// Sessions of a guest with one disk: on every kind of image.
#include <fmt/format.h>

#include "crash/kinds.h"
#include "crash/scenario.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;

constexpr u64 sector = model_sector;
constexpr u64 few = 3 * sector;

std::string path_of(Kind kind) {
  return is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
}

struct Session {
  std::string id;
  std::string title;
  u64 blocks = 6;
  u64 extra = 0;
  std::vector<Step> before = {};   ///< done and closed when the scenario begins
  std::vector<Step> warm_up = {};  ///< in the same session
  std::vector<Step> steps;
};

Scenario on(Kind kind, Session session) {
  Scenario scenario;
  scenario.id = session.id;
  scenario.title = fmt::format("{}: {}", name(kind), session.title);
  scenario.disk = path_of(kind);
  scenario.warm_up = session.warm_up;
  scenario.steps = session.steps;
  scenario.others_can_read = !is_child(kind);
  scenario.prepare = [kind, session](Stage& stage) {
    const auto path = make_image(stage, kind, session.blocks, session.extra);
    if (!session.before.empty()) set_up(stage, path, session.before);
  };
  return scenario;
}

/// What every kind of image goes through. `b` is the size of a block.
std::vector<Session> common_sessions(u64 b) {
  return {
      {.id = "X-06",
       .title = "first write to new blocks",
       .steps = {{write, b + few, few}, {flush}, {write, 3 * b, 8 * sector}, {flush}, {close}}},
      {.id = "X-07",
       .title = "overwrite",
       .before = {{write, b, 16 * sector}, {write, 4 * b, 16 * sector}, {close}},
       .steps = {{write, b + sector, 8 * sector},
                 {flush},
                 {write, b + 2 * sector, 4 * sector},
                 {write, 4 * b, 4 * sector},
                 {flush},
                 {write, b, few},
                 {close}}},
      {.id = "X-08",
       .title = "write spanning 3 blocks",
       .steps =
           {{write, b - few, b + 2 * few}, {flush}, {write, 4 * b - few, b + 2 * few}, {close}}},
      {.id = "X-09",
       .title = "zero and discard, and the space used again",
       .before = {{write, 0, 8 * sector}, {write, b, 8 * sector}, {write, 2 * b, few}, {close}},
       .steps = {{zero, b, b},
                 {write, 4 * b, few},
                 {flush},
                 {write, 5 * b, few},
                 {discard, 0, b},
                 {write, sector, sector},
                 {flush},
                 {zero, 2 * b, 2 * sector},
                 {write, 3 * b, few},
                 {flush},
                 {close}}},
      {.id = "X-15",
       .title = "clean close, and again",
       .steps = {{write, b, few}, {reopen}, {write, 2 * b, few}, {write, b, sector}, {close}}},
  };
}

std::vector<Session> child_sessions(u64 b) {
  return {
      {.id = "X-10",
       .title = "write to a partially present block",
       .before = {{write, 2 * b + sector, few}, {close}},
       .steps = {{write, 2 * b + 8 * sector, few},
                 {flush},
                 {write, 2 * b + 2 * sector, few},
                 {write, few, sector},
                 {flush},
                 {write, 2 * b, b},
                 {close}}},
      {.id = "X-10",
       .title = "zero over the parent's data",
       .steps = {{zero, 2 * b, b}, {write, 0, sector}, {flush}, {zero, 0, few}, {flush}, {close}}},
  };
}

/// One sector in each block, or in one block of each `every`.
std::vector<Step> touch(u64 count, u64 every, u64 block) {
  std::vector<Step> steps;
  for (u64 n = 0; n < count; ++n) steps.push_back({write, n * every * block, sector});
  return steps;
}

std::vector<Step> followed_by(std::vector<Step> steps, const std::vector<Step>& more) {
  steps.insert(steps.end(), more.begin(), more.end());
  return steps;
}

/// Flushes with one dirty page each: an entry of the log takes two of its 256 sectors.
std::vector<Step> many_flushes(u64 count, u64 block) {
  std::vector<Step> steps;
  for (u64 n = 0; n < count; ++n) {
    steps.push_back({n % 2 == 0 ? write : discard, block, n % 2 == 0 ? sector : block});
    steps.push_back({flush});
  }
  return steps;
}

std::vector<Scenario> log_scenarios() {
  constexpr u64 b = mib;
  constexpr u64 per_page = 512;  // BAT entries
  const Kind kind = Kind::vhdx_dynamic;
  std::vector<Scenario> scenarios;
  scenarios.push_back(on(kind, {.id = "X-11",
                                .title = "flush with 200 dirty BAT pages",
                                .blocks = 200 * per_page,
                                .warm_up = touch(200, per_page, b),
                                .steps = {{flush}, {write, 0, few}, {close}}}));
  scenarios.push_back(on(kind, {.id = "X-12",
                                .title = "the log wraps",
                                .warm_up = many_flushes(122, b),
                                .steps = followed_by(many_flushes(10, b), {{close}})}));
  scenarios.push_back(on(kind, {.id = "X-13",
                                .title = "more dirty pages than the log holds",
                                .blocks = 300 * per_page,
                                .warm_up = touch(300, per_page, b),
                                .steps = {{flush}, {write, 0, few}, {flush}, {close}}}));
  for (Scenario& scenario : scenarios) scenario.others_can_read = false;  // too large to copy out
  scenarios.front().weight = scenarios.back().weight = 0.06;              // as states go: slow
  return scenarios;
}

}  // namespace

std::vector<Scenario> session_scenarios() {
  std::vector<Scenario> scenarios;
  for (const Kind kind :
       {Kind::vhd_dynamic, Kind::vhd_child, Kind::vhdx_dynamic, Kind::vhdx_child}) {
    for (const Session& session : common_sessions(block_size(kind))) {
      scenarios.push_back(on(kind, session));
    }
    if (!is_child(kind)) continue;
    for (const Session& session : child_sessions(block_size(kind))) {
      scenarios.push_back(on(kind, session));
    }
  }
  for (const Kind kind : {Kind::vhd_fixed, Kind::vhdx_fixed}) {
    scenarios.push_back(on(kind, common_sessions(block_size(kind))[1]));
  }
  for (Scenario& scenario : log_scenarios()) scenarios.push_back(std::move(scenario));
  return scenarios;
}

}  // namespace vdisk::test
