/// Runs an operation of the library as a job, with its progress shown and Ctrl-C obeyed.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include "progress_bar.h"
#include "signals.h"
#include "try.h"
#include "vdisk/job.h"

namespace vdisk::tool {

/// How often a running job is looked at; the end of the job is noticed at once.
inline constexpr std::chrono::milliseconds poll_interval{50};

/// The output of the operation, or its error; Errc::canceled when a signal came in time.
template <class Output>
Result<Output> run_job(std::string_view name, const OutputOptions& options,
                       std::function<Result<Output>(Progress&)> operation,
                       Unit unit = Unit::bytes) {
  TOOL_TRY(check_interrupted());
  ProgressDisplay display(name, options, unit);
  TOOL_ASSIGN(auto job, Job<Output>::start(std::move(operation)));
  bool cancel_sent = false;
  for (;;) {
    display.update(job.status());
    auto result = job.wait_for(poll_interval);
    if (result) {
      display.finish(job.status());
      return *std::move(result);
    }
    if (received_signal() == 0) continue;
    if (!cancel_sent) (void)job.cancel();
    cancel_sent = true;
    knock();  // again and again: it may begin to wait just behind a look at the signal
  }
}

}  // namespace vdisk::tool
