#include "support/canceling_progress.h"

#include "base/try.h"

namespace vdisk::test {

Status CancelingCore::start(std::function<Status(Progress&)> body) {
  Progress progress;
  return body(progress);
}

Status CancelingCore::pass_point_of_no_return() {
  VDISK_TRY(step());
  too_late_ = true;
  return {};
}

Status CancelingCore::step() {
  ++steps_;
  if (!too_late_ && steps_left_-- == 0) canceled_ = true;
  if (canceled_) return fail(Errc::canceled, "canceled by the test");
  return {};
}

}  // namespace vdisk::test
