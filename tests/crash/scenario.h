/// Scenarios: what a guest or an operation does while the power may fail at every instant.
///
/// Adding one: append a Scenario to the list of its group (scenarios_*.cpp). A scenario is either a
/// session of a guest with one disk (`steps`) or an operation (`job`).
#pragma once

#include "crash/stage.h"

namespace vdisk::test {

struct Scenario {
  std::string id;  ///< of HOSTILE section 5
  std::string title;
  /// Makes the files that are there from the start, and says what is expected of them.
  std::function<void(Stage&)> prepare = {};

  std::string disk = {};           ///< path of the guest's disk
  std::vector<Step> warm_up = {};  ///< the session's steps before a crash is of interest
  std::vector<Step> steps = {};

  /// The operation; notes what it promises when it returns.
  std::function<Status(Stage&)> job = {};
  /// What the judge does after a crash to have the operation done after all; null: job.
  std::function<Status(Stage&)> rerun = {};

  /// What makes it good again after a crash where opening does not; the power may fail then, too.
  std::function<Status(Stage&)> recovery = {};

  /// Another tool may read the disk, too.
  bool others_can_read = false;
  /// Part of the states that this scenario may have, compared with others.
  double weight = 1;
};

[[nodiscard]] std::vector<Scenario> create_scenarios();
[[nodiscard]] std::vector<Scenario> session_scenarios();
[[nodiscard]] std::vector<Scenario> expand_scenarios();
[[nodiscard]] std::vector<Scenario> merge_scenarios();
[[nodiscard]] std::vector<Scenario> maintenance_scenarios();
/// A repair of each damaged image that can be repaired.
[[nodiscard]] std::vector<Scenario> repair_scenarios();
[[nodiscard]] std::vector<Scenario> chain_scenarios();
[[nodiscard]] std::vector<Scenario> metadata_scenarios();
/// All sequences of up to three steps on one kind of image, each as a scenario.
[[nodiscard]] std::vector<Scenario> sequence_scenarios();
/// Long sessions of steps by chance, so many for each kind of image.
[[nodiscard]] std::vector<Scenario> random_scenarios(u64 seed, std::size_t count);

[[nodiscard]] std::vector<Scenario> all_scenarios(u64 seed, std::size_t random_count);

}  // namespace vdisk::test
