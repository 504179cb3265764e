/// What crash_machine and fault_machine have in common: their arguments, and work on threads.
#pragma once

#include <filesystem>
#include <functional>
#include <span>

#include "crash/scenario.h"

namespace vdisk::test {

struct CommandLine {
  u64 seed = 1;                   ///< --seed=, or VDISK_SEED
  std::size_t states = 0;         ///< --states= of each scenario; 0: the default
  std::size_t required = 0;       ///< --require= so many different states in all
  std::size_t threads = 2;        ///< --threads=
  std::size_t random_count = 20;  ///< --random= sessions for each kind of image
  std::filesystem::path samples;  ///< --samples= folder for recovered images
  bool allocations = false;       ///< --allocations: memory fails, not storage
  std::string only;               ///< --only= part of id and title

  /// Ends the program with a message on a word that means nothing.
  void parse(std::span<char*> words);
  [[nodiscard]] bool selects(const Scenario& scenario) const;
  void for_each_in_parallel(std::size_t count,
                            const std::function<void(std::size_t index)>& work) const;
};

}  // namespace vdisk::test
