#include "crash/machine.h"

#include <fstream>
#include <unordered_set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "crash/judge.h"

namespace vdisk::test {

namespace {

constexpr std::size_t most_violations_kept = 5;

/// What one undisturbed run of a scenario gives.
struct Undisturbed {
  Recording recording;
  std::vector<Note> notes;
  Expectation at_start;
  Expectation finally;
  std::string failure;
};

Status act(const Scenario& scenario, Stage& stage) {
  if (scenario.job) return scenario.job(stage);
  Guest guest(stage, scenario.disk);
  Status done;
  for (const Step& step : scenario.warm_up) {
    if (done) done = guest.perform(step);
  }
  stage.examine_from_here();
  for (const Step& step : scenario.steps) {
    if (done) done = guest.perform(step);
  }
  return done;
}

Undisturbed record(const Scenario& scenario) {
  Stage stage;
  scenario.prepare(stage);
  Undisturbed run;
  run.at_start = stage.expectation;
  stage.begin_recording();
  const auto done = act(scenario, stage);
  run.recording = stage.take_recording();
  run.notes = stage.notes();
  run.finally = run.at_start;
  for (const Note& note : run.notes) note(run.finally);
  if (!done) run.failure = done.error().message;
  return run;
}

class Machine {
 public:
  Machine(const Scenario& scenario, const MachineOptions& options)
      : scenario_(scenario), options_(options) {}

  ScenarioResult run() {
    undisturbed_ = record(scenario_);
    if (!undisturbed_.failure.empty()) {
      add_violation("undisturbed: " + undisturbed_.failure);
      return result_;
    }
    if (options_.mutate) options_.mutate(undisturbed_.recording);
    now_ = undisturbed_.at_start;
    CrashStates states(undisturbed_.recording, limits(), options_.seed);
    states.walk([this](u64 number) { return take_note(number); },
                [this](CrashState&& state) { examine(state); });
    result_.points = states.points();
    result_.states = seen_.size();
    return result_;
  }

 private:
  [[nodiscard]] CrashLimits limits() const {
    CrashLimits limits = options_.limits;
    const auto& recording = undisturbed_.recording;
    const auto points = 1 + recording.operations.size() - recording.examine_from;
    const auto budget = static_cast<double>(options_.states_per_scenario) * scenario_.weight;
    const auto share = static_cast<std::size_t>(budget / static_cast<double>(points));
    limits.states_per_point = std::min(limits.states_per_point, share + 1);
    return limits;
  }

  bool take_note(u64 number) {
    const bool settles = undisturbed_.notes.at(number)(now_);
    if (settles) judged_.clear();
    return settles;
  }

  void examine(const CrashState& state) {
    const u64 hash = state.tree.hash();
    seen_.insert(hash);
    if (!judged_.insert(hash).second) return;
    const u64 count = ++judged_count_;
    const JudgeOptions how{.record_recovery = count % options_.compound_every == 0,
                           .live_on = count % options_.live_on_every == 0};
    const Judge judge(scenario_, now_, undisturbed_.finally);
    auto judgement = judge.judge(state.tree, how);
    if (!judgement.violation.empty()) return report(state, judgement.violation);
    if (judgement.recovery) crash_again(state, *judgement.recovery);
    const bool chosen = !options_.samples.empty() && hash % options_.sample_every == 0;
    if (chosen && scenario_.others_can_read) write_sample(judgement.recovered);
  }

  /// The power fails during recovery, too: the expectation stays as it is.
  void crash_again(const CrashState& first, const Recording& recovery) {
    CrashLimits limits = options_.limits;
    limits.states_per_point = 4;
    std::size_t left = options_.compound_states;
    CrashStates states(recovery, limits, options_.seed + judged_count_);
    states.walk([](u64) { return false; },
                [&](CrashState&& state) {
                  const u64 hash = state.tree.hash();
                  if (left == 0 || !judged_.insert(hash).second) return;
                  --left;
                  seen_.insert(hash);
                  ++result_.compound_states;
                  const Judge judge(scenario_, now_, undisturbed_.finally);
                  auto judgement = judge.judge(state.tree, {});
                  if (judgement.violation.empty()) return;
                  report(first, fmt::format("crashed again after {} ({}): {}",
                                            recovery.operations[state.operation].describe(),
                                            state.recipe->describe(), judgement.violation));
                });
  }

  void report(const CrashState& state, const std::string& violation) {
    const auto& operations = undisturbed_.recording.operations;
    const std::size_t index = std::min(state.operation, operations.size() - 1);
    add_violation(fmt::format("operation {} ({}), {}: {}", index, operations[index].describe(),
                              state.recipe->describe(), violation));
  }

  void add_violation(std::string text) {
    ++result_.violation_count;
    if (result_.violations.size() < most_violations_kept) {
      result_.violations.push_back(std::move(text));
    }
  }

  /// Every image with the bytes that its guest reads beside it.
  void write_sample(const FileTree& tree) const {
    constexpr u64 most_bytes = 16 * mib;
    const Stage stage(tree);
    for (const auto& [path, view] : now_.views) {
      const PagedContent* const content = tree.find(path);
      if (content == nullptr || content->size() > most_bytes) continue;
      std::vector<std::byte> bytes(content->size());
      content->read(0, bytes);
      const auto disk = Disk::open(path, stage.options());
      if (!disk || disk->size() > most_bytes) continue;
      std::vector<std::byte> guest(disk->size());
      if (!disk->read(0, guest)) continue;
      const auto title = std::hash<std::string>()(scenario_.title);
      const auto name = options_.samples / fmt::format("{:x}-{}", title, judged_count_);
      const auto extension = std::filesystem::path(path).extension().string();
      write_file(name.string() + extension, bytes);
      write_file(name.string() + extension + ".raw", guest);
    }
  }

  static void write_file(const std::string& path, std::span<const std::byte> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }

  const Scenario& scenario_;
  const MachineOptions& options_;
  Undisturbed undisturbed_;
  Expectation now_;
  std::unordered_set<u64> seen_;
  std::unordered_set<u64> judged_;  ///< since something was settled last
  u64 judged_count_ = 0;
  ScenarioResult result_;
};

}  // namespace

ScenarioResult run_scenario(const Scenario& scenario, const MachineOptions& options) {
  return Machine(scenario, options).run();
}

}  // namespace vdisk::test
