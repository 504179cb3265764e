/// The list of all scenarios.
#include "crash/scenario.h"

namespace vdisk::test {

std::vector<Scenario> all_scenarios(u64 seed, std::size_t random_count) {
  std::vector<Scenario> all;
  const auto add = [&all](std::vector<Scenario> group) {
    for (Scenario& scenario : group) all.push_back(std::move(scenario));
  };
  add(create_scenarios());
  add(session_scenarios());
  add(expand_scenarios());
  add(merge_scenarios());
  add(maintenance_scenarios());
  add(repair_scenarios());
  add(chain_scenarios());
  add(metadata_scenarios());
  add(sequence_scenarios());
  add(random_scenarios(seed, random_count));
  return all;
}

}  // namespace vdisk::test
