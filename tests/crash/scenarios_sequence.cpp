/// Every sequence of up to three steps, on the four kinds of images that allocate.
#include <fmt/format.h>

#include "crash/kinds.h"
#include "crash/scenario.h"

namespace vdisk::test {

namespace {

using enum Step::Kind;

enum class Move { allocate, overwrite, zero, discard, flush, grow, reopen };
constexpr Move moves[]{Move::allocate, Move::overwrite, Move::zero,  Move::discard,
                       Move::flush,    Move::grow,      Move::reopen};
constexpr std::string_view names[]{"allocate", "overwrite", "zero",  "discard",
                                   "flush",    "grow",      "reopen"};
constexpr u64 blocks = 7;
constexpr std::size_t longest = 3;

/// Blocks 0 and 1 are written when a sequence begins: one is overwritten, one dropped. Each move
/// that allocates takes the next of the others.
class Script {
 public:
  explicit Script(u64 block) : block_(block) {}

  Step next(Move move) {
    switch (move) {
      case Move::allocate: return {write, next_block_++ * block_ + 1024, 2048};
      case Move::overwrite: return {write, 512, 1024};
      case Move::zero: return {Step::Kind::zero, 0, block_};
      case Move::discard: return {Step::Kind::discard, block_, block_};
      case Move::flush: return {Step::Kind::flush};
      case Move::grow: return {Step::Kind::grow, ++size_in_blocks_ * block_};
      case Move::reopen: break;
    }
    return {Step::Kind::reopen};
  }

 private:
  u64 block_;
  u64 next_block_ = 3;
  u64 size_in_blocks_ = blocks;
};

Scenario sequence(Kind kind, const std::vector<Move>& chosen) {
  Scenario scenario;
  scenario.id = "X-06+";
  scenario.title = fmt::format("{}: all sequences of up to {} steps [", name(kind), longest);
  scenario.disk = is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
  scenario.others_can_read = !is_child(kind);
  scenario.prepare = [kind](Stage& stage) {
    const auto path = make_image(stage, kind, blocks);
    set_up(stage, path, {{write, 0, 4096}, {write, block_size(kind), 4096}, {close}});
  };
  Script script(block_size(kind));
  for (const Move move : chosen) {
    scenario.title += fmt::format("{} ", names[static_cast<std::size_t>(move)]);
    scenario.steps.push_back(script.next(move));
  }
  scenario.title.back() = ']';
  // What happens before the last step was examined with the sequence that ends there.
  scenario.warm_up.assign(scenario.steps.begin(), scenario.steps.end() - 1);
  scenario.steps.erase(scenario.steps.begin(), scenario.steps.end() - 1);
  scenario.weight = 0.1;
  return scenario;
}

void add_sequences(std::vector<Scenario>& scenarios, Kind kind, std::vector<Move>& chosen) {
  if (!chosen.empty()) scenarios.push_back(sequence(kind, chosen));
  if (chosen.size() == longest) return;
  for (const Move move : moves) {
    chosen.push_back(move);
    add_sequences(scenarios, kind, chosen);
    chosen.pop_back();
  }
}

}  // namespace

std::vector<Scenario> sequence_scenarios() {
  std::vector<Scenario> scenarios;
  for (const Kind kind :
       {Kind::vhd_dynamic, Kind::vhd_child, Kind::vhdx_dynamic, Kind::vhdx_child}) {
    std::vector<Move> chosen;
    add_sequences(scenarios, kind, chosen);
  }
  return scenarios;
}

}  // namespace vdisk::test
