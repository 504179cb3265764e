/// Runs every scenario and prints what was found. CONTRIBUTING.md says how.
#include <chrono>
#include <mutex>

#include <fmt/format.h>

#include "crash/command_line.h"
#include "crash/machine.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

/// Scenarios whose results are shown as one line.
struct Line {
  std::string id;
  std::string title;
  std::vector<Scenario> scenarios;
  ScenarioResult result;
  double seconds = 0;
};

void add(ScenarioResult& sum, const ScenarioResult& one) {
  sum.points += one.points;
  sum.states += one.states;
  sum.compound_states += one.compound_states;
  sum.violation_count += one.violation_count;
  for (const std::string& text : one.violations) {
    constexpr std::size_t most_shown = 5;
    if (sum.violations.size() < most_shown) sum.violations.push_back(text);
  }
}

std::vector<Line> lines_of(std::vector<Scenario> scenarios, const CommandLine& arguments) {
  std::vector<Line> lines;
  for (Scenario& scenario : scenarios) {
    if (!arguments.selects(scenario)) continue;
    const std::string title = scenario.title.substr(0, scenario.title.find(" ["));
    if (lines.empty() || lines.back().id != scenario.id || lines.back().title != title) {
      lines.push_back({scenario.id, title, {}, {}});
    }
    lines.back().scenarios.push_back(std::move(scenario));
  }
  return lines;
}

MachineOptions machine_options(const CommandLine& arguments) {
  MachineOptions options;
  options.seed = arguments.seed;
  options.samples = arguments.samples;
  if (arguments.states == 0) return options;
  options.states_per_scenario = arguments.states;
  options.limits.states_per_point = arguments.states;
  return options;
}

void run(std::vector<Line>& lines, const CommandLine& arguments) {
  std::vector<std::pair<Line*, const Scenario*>> work;
  for (Line& line : lines) {
    for (const Scenario& scenario : line.scenarios) work.emplace_back(&line, &scenario);
  }
  const MachineOptions options = machine_options(arguments);
  std::mutex mutex;
  arguments.for_each_in_parallel(work.size(), [&](std::size_t index) {
    const auto [line, scenario] = work[index];
    const auto begin = std::chrono::steady_clock::now();
    auto result = run_scenario(*scenario, options);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    for (std::string& text : result.violations) text = scenario->title + ": " + text;
    const std::scoped_lock lock(mutex);
    add(line->result, result);
    line->seconds += taken.count();
  });
}

int print(const std::vector<Line>& lines, const CommandLine& arguments) {
  ScenarioResult sum;
  fmt::print("{:6} {:66} {:>8} {:>8} {:>10} {:>8}\n", "id", "scenario", "points", "states",
             "violations", "seconds");
  for (const Line& line : lines) {
    fmt::print("{:6} {:66} {:8} {:8} {:10} {:8.1f}\n", line.id, line.title, line.result.points,
               line.result.states, line.result.violation_count, line.seconds);
    for (const std::string& text : line.result.violations) fmt::print("    {}\n", text);
    add(sum, line.result);
  }
  fmt::print(
      "\n{} different states after crashes at {} points, {} of them of crashes during "
      "recovery; {} violations (seed {})\n",
      sum.states, sum.points, sum.compound_states, sum.violation_count, arguments.seed);
  if (sum.states < arguments.required) {
    fmt::print("expected at least {} states\n", arguments.required);
  }
  return sum.violation_count == 0 && sum.states >= arguments.required ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  CommandLine arguments;
  arguments.parse(std::span(words, static_cast<std::size_t>(count)).subspan(1));
  if (!arguments.samples.empty()) {
    std::filesystem::remove_all(arguments.samples);
    std::filesystem::create_directories(arguments.samples);
  }
  auto lines = lines_of(all_scenarios(arguments.seed, arguments.random_count), arguments);
  run(lines, arguments);
  return print(lines, arguments);
}
