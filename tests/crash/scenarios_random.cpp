/// Long sessions by chance: what nobody thought of.
#include <random>

#include <fmt/format.h>

#include "crash/kinds.h"
#include "crash/scenario.h"

namespace vdisk::test {

namespace {

constexpr u64 blocks = 7;

class RandomScript {
 public:
  RandomScript(Kind kind, u64 seed)
      : block_(block_size(kind)),
        fixed_(kind == Kind::vhd_fixed || kind == Kind::vhdx_fixed),
        random_(seed),
        size_(blocks * block_) {}

  std::vector<Step> steps(std::size_t count) {
    std::vector<Step> steps;
    while (steps.size() < count) steps.push_back(next());
    return steps;
  }

 private:
  u64 pick(u64 limit) { return random_() % limit; }

  Step next() {
    switch (pick(16)) {
      case 0:
      case 1:
      case 2: return {Step::Kind::flush};
      case 3: return {Step::Kind::reopen};
      case 4: return fixed_ ? write() : grow();
      case 5:
      case 6: return range(Step::Kind::zero);
      case 7:
      case 8: return range(Step::Kind::discard);
      default: return write();
    }
  }

  Step grow() {
    constexpr u64 most_growths = 3;
    if (++growths_ > most_growths) return write();
    size_ += pick(2) == 0 ? block_ : model_sector * (1 + pick(100));
    return {Step::Kind::grow, size_};
  }

  Step write() {
    Step step{Step::Kind::write, place(), model_sector * (1 + pick(12))};
    if (pick(12) == 0) step.length = block_ + model_sector * pick(4);
    step.length = std::min(step.length, size_ - step.offset);
    return step;
  }

  /// Whole blocks more often than not: those that the map can drop.
  Step range(Step::Kind kind) {
    Step step{kind, place(), model_sector * (1 + pick(12))};
    if (pick(4) != 0) {
      step.offset -= step.offset % block_;
      step.length = block_ * (1 + pick(2));
    }
    step.length = std::min(step.length, size_ - step.offset);
    return step;
  }

  /// Few places, so that steps meet each other.
  u64 place() {
    const u64 block = pick(size_ / block_);
    const u64 places[]{0, 4 * model_sector, block_ / 2, block_ - 2 * model_sector};
    return block * block_ + places[pick(std::size(places))];
  }

  u64 block_;
  bool fixed_;
  std::mt19937_64 random_;
  u64 size_;
  u64 growths_ = 0;
};

Scenario random_session(Kind kind, u64 seed) {
  constexpr std::size_t steps_before = 4;
  constexpr std::size_t steps_during = 18;
  RandomScript script(kind, seed);
  auto before = script.steps(steps_before);
  Scenario scenario;
  scenario.id = "X-06*";
  scenario.title = fmt::format("{}: random sessions [seed {}]", name(kind), seed);
  scenario.disk = is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
  scenario.others_can_read = !is_child(kind);
  scenario.prepare = [kind, before](Stage& stage) {
    const auto path = make_image(stage, kind, blocks);
    auto steps = before;
    steps.push_back({Step::Kind::close});
    set_up(stage, path, steps);
  };
  scenario.steps = script.steps(steps_during);
  scenario.steps.push_back({Step::Kind::close});
  return scenario;
}

}  // namespace

std::vector<Scenario> random_scenarios(u64 seed, std::size_t count) {
  std::vector<Scenario> scenarios;
  for (const Kind kind : {Kind::vhd_fixed, Kind::vhd_dynamic, Kind::vhd_child, Kind::vhdx_fixed,
                          Kind::vhdx_dynamic, Kind::vhdx_child}) {
    for (std::size_t n = 0; n < count; ++n) {
      constexpr u64 seeds_of_a_run = 1000003;
      scenarios.push_back(random_session(kind, seed * seeds_of_a_run + n));
    }
  }
  return scenarios;
}

}  // namespace vdisk::test
