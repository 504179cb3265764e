#include <atomic>
#include <semaphore>
#include <stdexcept>

#include <doctest/doctest.h>
#include <poll.h>

#include "vdisk/job.h"

using namespace vdisk;
using namespace std::chrono_literals;

namespace {

template <class Operation>
Job<int> start(Operation operation) {
  auto job = Job<int>::start(operation);
  REQUIRE(job);
  return *std::move(job);
}

Result<int> run_until_canceled(Progress& progress) {
  while (progress.advance(1)) {
  }
  return fail(Errc::canceled, "canceled");
}

bool is_readable(int descriptor, int timeout_ms) {
  pollfd poll_descriptor{descriptor, POLLIN, 0};
  return ::poll(&poll_descriptor, 1, timeout_ms) == 1;
}

}  // namespace

TEST_CASE("destroying or replacing a running job cancels and joins it") {
  std::atomic<bool> ended = false;
  const auto operation = [&](Progress& progress) -> Result<int> {
    const auto result = run_until_canceled(progress);
    ended = true;
    return result;
  };
  {
    auto job = start(operation);
  }
  CHECK(ended);
  ended = false;
  auto job = start(operation);
  job = start([](Progress&) -> Result<int> { return 3; });
  CHECK(ended);
  CHECK(std::move(job).wait() == 3);
}

TEST_CASE("an operation that throws ends with an error") {
  auto no_memory = start([](Progress&) -> Result<int> { throw std::bad_alloc(); });
  CHECK(std::move(no_memory).wait().error().code == Errc::no_memory);
  auto odd = start([](Progress&) -> Result<int> { throw std::runtime_error("odd"); });
  const auto result = std::move(odd).wait();
  CHECK(result.error().code == Errc::internal);
  CHECK(result.error().message == "unexpected exception: odd");
  auto unknown = start([](Progress&) -> Result<int> { throw 5; });
  CHECK(std::move(unknown).wait().error().code == Errc::internal);
}

TEST_CASE("an operation cannot end with a code that is not final") {
  for (const Errc code : {Errc::success, Errc::pending}) {
    auto job = start([code](Progress&) -> Result<int> { return fail(code, "nonsense"); });
    CHECK(std::move(job).wait().error().code == Errc::internal);
  }
}

TEST_CASE("the event descriptor becomes readable at the end and stays so") {
  std::binary_semaphore go(0);
  auto job = start([&](Progress&) -> Result<int> {
    go.acquire();
    return 1;
  });
  const auto event = job.event_fd();
  REQUIRE(event);
  CHECK(job.event_fd() == *event);
  CHECK_FALSE(is_readable(*event, 0));
  go.release();
  CHECK(is_readable(*event, -1));
  CHECK(is_readable(*event, 0));
  CHECK(job.status().operation_status == Errc::success);
}

TEST_CASE("an event descriptor asked for after the end is readable") {
  auto job = start([](Progress&) -> Result<int> { return 1; });
  REQUIRE(job.wait_for(1h));
  const auto event = job.event_fd();
  REQUIRE(event);
  CHECK(is_readable(*event, 0));
}

TEST_CASE("a Progress without a job counts and is never canceled") {
  Progress progress;
  progress.phase("anything");
  progress.expect(7);
  CHECK(progress.advance(3));
  CHECK_FALSE(progress.canceled());
  CHECK(progress.point_of_no_return());
  CHECK(progress.status().operation_status == Errc::pending);
  CHECK(progress.status().current_value == 3);
  CHECK(progress.status().completion_value == 7);
}
