/// The crash machine: records a scenario, makes the states, judges each different one.
#pragma once

#include <filesystem>

#include "crash/scenario.h"
#include "support/crash_states.h"

namespace vdisk::test {

struct MachineOptions {
  u64 seed = 1;
  CrashLimits limits = {};
  /// Of one scenario of weight 1; states are spread over all instants.
  std::size_t states_per_scenario = 700;
  /// One state in so many crashes again while it is recovered.
  u64 compound_every = 10;
  std::size_t compound_states = 12;
  /// One state in so many is written on, or has its operation run again.
  u64 live_on_every = 4;
  /// Where recovered images go, one state in so many, for other tools; empty: nowhere.
  std::filesystem::path samples = {};
  u64 sample_every = 100;
  /// Changes the record before states are made of it: a planted bug.
  std::function<void(Recording&)> mutate = {};
};

struct ScenarioResult {
  std::size_t points = 0;
  std::size_t states = 0;           ///< different ones
  std::size_t compound_states = 0;  ///< of crashes during recovery, contained in `states`
  std::size_t violation_count = 0;
  std::vector<std::string> violations;  ///< the first few
};

[[nodiscard]] ScenarioResult run_scenario(const Scenario& scenario, const MachineOptions& options);

}  // namespace vdisk::test
