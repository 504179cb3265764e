/// Says whether a state that a crash left keeps the promises (HOSTILE section 7).
///
/// Opened read-only, not a byte is written and every sector is one that may be there. Opened for
/// writing, the same content is there, check is clean, and opening again changes nothing. Files
/// that nobody may touch are byte-identical. Then life goes on: new writes, or the operation again.
#pragma once

#include "crash/scenario.h"

namespace vdisk::test {

struct Judgement {
  std::string violation;                   ///< empty: none
  FileTree recovered;                      ///< after opening for writing
  std::optional<Recording> recovery = {};  ///< when asked for and when something was written
};

struct JudgeOptions {
  bool record_recovery = false;
  bool live_on = false;  ///< write on, or run the operation again
};

class Judge {
 public:
  /// `finally` is what is expected when nothing is disturbed.
  Judge(const Scenario& scenario, const Expectation& now, const Expectation& finally)
      : scenario_(scenario), now_(now), finally_(finally) {}

  [[nodiscard]] Judgement judge(const FileTree& state, const JudgeOptions& options) const;

 private:
  std::string look(Stage& stage, std::map<std::string, u64>& digests) const;
  std::string recover(Stage& stage, const std::map<std::string, u64>& digests) const;
  std::string reopen(Stage& stage) const;
  [[nodiscard]] std::string look_at_names(const FileTree& tree) const;
  std::string write_on(Stage& stage) const;
  std::string run_again(Stage& stage) const;

  const Scenario& scenario_;
  const Expectation& now_;
  const Expectation& finally_;
};

/// The whole content of a disk against a model; `digest` becomes a number for what was found.
[[nodiscard]] std::string judge_content(const Disk& disk, const GuestModel& model, u64& digest);

/// Makes the model expect what is there now, and nothing else.
[[nodiscard]] std::string adopt_content(const Stage& stage, const std::string& path,
                                        GuestModel& model);

}  // namespace vdisk::test
