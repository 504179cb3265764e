#include "vdisk/progress.h"

#include "vdisk/job.h"

namespace vdisk {

Progress::Progress() : Progress(detail::JobCore::create()) {}

Progress::Progress(std::shared_ptr<detail::JobCore> core) : core_(std::move(core)) {}

Progress::~Progress() = default;

void Progress::phase(std::string_view name) {
  core_->set_phase(name);
}

void Progress::expect(u64 completion) {
  core_->set_expected(completion);
}

Status Progress::advance(u64 amount) {
  return core_->add(amount);
}

bool Progress::canceled() const noexcept {
  return core_->is_canceled();
}

Status Progress::point_of_no_return() {
  return core_->pass_point_of_no_return();
}

JobStatus Progress::status() const {
  return core_->status();
}

}  // namespace vdisk
