/// Progress of verbs that move bytes themselves, on the main thread, instead of running a job.
#pragma once

#include <string_view>

#include "progress_bar.h"
#include "vdisk/error.h"

namespace vdisk::tool {

class Transfer {
 public:
  Transfer(std::string_view operation, const OutputOptions& options, u64 expected_bytes);

  /// Errc::canceled once a signal came.
  Status advance(u64 bytes);
  [[nodiscard]] u64 done() const { return status_.current_value; }
  /// Shows how it ended, and hands the result on.
  Status finish(Status result);

 private:
  ProgressDisplay display_;
  JobStatus status_;
};

}  // namespace vdisk::tool
