/// Runs every scenario with every fault and prints what was found. CONTRIBUTING.md says how.
#include <fmt/format.h>

#include "crash/command_line.h"
#include "crash/faults.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

/// There are many damaged images, and a repair reads each several times.
constexpr std::size_t indices_of_repairs = 4;

struct Row {
  const Scenario* scenario = nullptr;
  FaultResult result = {};
};

/// Scenarios that the others cover with fewer operations.
bool is_worth_it(const Scenario& scenario) {
  const bool slow = scenario.id == "X-11" || scenario.id == "X-12" || scenario.id == "X-13";
  return !slow;
}

int print(const std::vector<Row>& rows, const CommandLine& arguments) {
  FaultResult sum;
  fmt::print("{:6} {:66} {:>8} {:>8} {:>10}\n", "id", "scenario", "runs", "fired", "violations");
  for (const Row& row : rows) {
    fmt::print("{:6} {:66} {:8} {:8} {:10}\n", row.scenario->id, row.scenario->title,
               row.result.runs, row.result.fired, row.result.violation_count);
    for (const std::string& text : row.result.violations) fmt::print("    {}\n", text);
    sum.runs += row.result.runs;
    sum.fired += row.result.fired;
    sum.violation_count += row.result.violation_count;
  }
  fmt::print("\n{} runs with a fault, {} of them hit; {} violations (seed {})\n", sum.runs,
             sum.fired, sum.violation_count, arguments.seed);
  return sum.violation_count == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  CommandLine arguments;
  arguments.random_count = 1;
  arguments.parse(std::span(words, static_cast<std::size_t>(count)).subspan(1));
  std::vector<Scenario> scenarios;
  for (auto& group :
       {create_scenarios(), session_scenarios(), expand_scenarios(), merge_scenarios(),
        maintenance_scenarios(), repair_scenarios(), chain_scenarios(), metadata_scenarios(),
        random_scenarios(arguments.seed, arguments.random_count)}) {
    for (const Scenario& scenario : group) {
      if (is_worth_it(scenario) && arguments.selects(scenario)) scenarios.push_back(scenario);
    }
  }
  std::vector<Row> rows;
  for (const Scenario& scenario : scenarios) rows.push_back({&scenario});
  arguments.for_each_in_parallel(rows.size(), [&](std::size_t index) {
    FaultOptions options{.seed = arguments.seed, .allocations = arguments.allocations};
    const Scenario& scenario = *rows[index].scenario;
    if (scenario.id == "X-26") options.most_indices = indices_of_repairs;
    if (arguments.states != 0) options.most_indices = arguments.states;
    rows[index].result = inject_faults(scenario, options);
  });
  return print(rows, arguments);
}
