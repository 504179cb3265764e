/// The list of all scenarios, with those of HOSTILE section 5 whose operation is still to come.
#include "crash/scenario.h"

namespace vdisk::test {

std::vector<Scenario> missing_scenarios() {
  std::vector<Scenario> scenarios;
  const auto add = [&scenarios](const char* id, const char* title) {
    Scenario scenario;
    scenario.id = id;
    scenario.title = title;
    scenario.missing = "operation does not exist yet";
    scenarios.push_back(std::move(scenario));
  };
  add("X-19", "shrink");
  add("X-23", "compact in place");
  add("X-24", "compact by copy and rename");
  return scenarios;
}

std::vector<Scenario> all_scenarios(u64 seed, std::size_t random_count) {
  std::vector<Scenario> all;
  const auto add = [&all](std::vector<Scenario> group) {
    for (Scenario& scenario : group) all.push_back(std::move(scenario));
  };
  add(create_scenarios());
  add(session_scenarios());
  add(expand_scenarios());
  add(merge_scenarios());
  add(repair_scenarios());
  add(chain_scenarios());
  add(metadata_scenarios());
  add(sequence_scenarios());
  add(random_scenarios(seed, random_count));
  add(missing_scenarios());
  return all;
}

}  // namespace vdisk::test
