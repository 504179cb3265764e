#include <atomic>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <signal.h>

#include "vdisk/job.h"

using namespace vdisk;
using namespace std::chrono_literals;

namespace {

/// A job whose operation starts when begin() is called: callbacks can be set before.
class HeldJob {
 public:
  explicit HeldJob(std::function<Result<int>(Progress&)> operation)
      : job_(*Job<int>::start([this, operation = std::move(operation)](Progress& progress) {
          begin_.acquire();
          return operation(progress);
        })) {}
  Job<int>& job() { return job_; }
  void begin() { begin_.release(); }
  Result<int> run() {
    begin();
    return std::move(job_).wait();
  }

 private:
  std::binary_semaphore begin_{0};
  Job<int> job_;
};

Result<int> thousand_steps(Progress& progress) {
  progress.phase("count");
  progress.expect(1000);
  for (int step = 0; step < 1000; ++step) (void)progress.advance(1);
  return 1;
}

}  // namespace

TEST_CASE("callback: the last call carries the final status and comes before the waiters go on") {
  HeldJob held(thousand_steps);
  std::vector<JobEvent> events;
  held.job().on_progress([&](const JobEvent& event) { events.push_back(event); });
  CHECK(held.run() == 1);
  REQUIRE_FALSE(events.empty());
  CHECK(events.back().status.operation_status == Errc::success);
  CHECK(events.back().phase == "count");
  for (std::size_t index = 0; index + 1 < events.size(); ++index) {
    CHECK(events[index].status.operation_status == Errc::pending);
  }
}

TEST_CASE("callback: at most one call in a millisecond, whatever the number of steps") {
  HeldJob held([](Progress& progress) -> Result<int> {
    progress.expect(200000);
    for (int step = 0; step < 200000; ++step) (void)progress.advance(1);
    return 1;
  });
  std::vector<std::chrono::steady_clock::time_point> calls;
  held.job().on_progress(
      [&](const JobEvent&) { calls.push_back(std::chrono::steady_clock::now()); });
  const auto before = std::chrono::steady_clock::now();
  CHECK(held.run() == 1);
  const auto elapsed = std::chrono::steady_clock::now() - before;
  CHECK(calls.size() <= static_cast<std::size_t>(elapsed / 1ms) + 2);
}

TEST_CASE("callback: runs on the job's thread only, also when other threads make progress") {
  std::thread::id runner;
  HeldJob held([&](Progress& progress) -> Result<int> {
    runner = std::this_thread::get_id();
    std::thread worker([&] {
      for (int step = 0; step < 1000; ++step) (void)progress.advance(1);
    });
    worker.join();
    return 1;
  });
  bool elsewhere = false;
  held.job().on_progress(
      [&](const JobEvent&) { elsewhere = elsewhere || std::this_thread::get_id() != runner; });
  CHECK(held.run() == 1);
  CHECK_FALSE(elsewhere);
}

TEST_CASE("callback: an exception is swallowed and the job goes on") {
  HeldJob held(thousand_steps);
  int calls = 0;
  held.job().on_progress([&](const JobEvent&) {
    ++calls;
    throw std::runtime_error("callback");
  });
  CHECK(held.run() == 1);
  CHECK(calls > 0);
}

TEST_CASE("callback: may ask, wait and cancel without a deadlock") {
  HeldJob held([](Progress& progress) -> Result<int> {
    progress.expect(10);
    if (!progress.advance(1)) return fail(Errc::canceled, "canceled");
    return 1;
  });
  auto& job = held.job();
  std::vector<Errc> answers;
  job.on_progress([&](const JobEvent&) {
    (void)job.status();
    (void)job.query_status();
    (void)job.event_fd();
    CHECK_FALSE(job.wait_for(1h));
    answers.push_back(job.cancel());
  });
  CHECK(held.run().error().code == Errc::canceled);
  REQUIRE(answers.size() >= 2);
  CHECK(answers.front() == Errc::canceled);
  CHECK(answers.back() == Errc::already_canceled);
}

TEST_CASE("callback: may replace itself, the former one is not called again") {
  HeldJob held(thousand_steps);
  int first = 0;
  int second = 0;
  held.job().on_progress([&](const JobEvent&) {
    ++first;
    held.job().on_progress([&](const JobEvent&) { ++second; });
  });
  CHECK(held.run() == 1);
  CHECK(first == 1);
  CHECK(second >= 1);
}

TEST_CASE("callback: when on_progress returns the former one is not running") {
  std::binary_semaphore inside(0);
  std::atomic<bool> alive = true;
  std::atomic<bool> used_when_dead = false;
  HeldJob held(thousand_steps);
  held.job().on_progress([&](const JobEvent&) {
    inside.release();
    for (int step = 0; step < 1000; ++step) {
      std::this_thread::yield();
      if (!alive) used_when_dead = true;
    }
  });
  held.begin();
  inside.acquire();
  held.job().on_progress(nullptr);
  alive = false;
  CHECK(std::move(held.job()).wait() == 1);
  CHECK_FALSE(used_when_dead);
}

TEST_CASE("callback: set after the end, it is told the final status at once") {
  HeldJob held(thousand_steps);
  held.begin();
  REQUIRE(held.job().wait_for(1h));
  int calls = 0;
  held.job().on_progress([&](const JobEvent& event) {
    ++calls;
    CHECK(event.status.operation_status == Errc::success);
  });
  CHECK(calls == 1);
}

TEST_CASE("callback: is not called any more once the job is destroyed") {
  std::atomic<int> calls = 0;
  {
    HeldJob held([](Progress& progress) -> Result<int> {
      while (progress.advance(1)) {
      }
      return fail(Errc::canceled, "canceled");
    });
    held.job().on_progress([&](const JobEvent&) { ++calls; });
    held.begin();
  }
  const int at_the_end = calls;
  CHECK(at_the_end >= 1);
  std::this_thread::yield();
  CHECK(calls == at_the_end);
}

TEST_CASE("callback: may destroy the job it belongs to") {
  struct Shared {
    std::binary_semaphore begin{0};
    std::binary_semaphore destroyed{0};
    std::optional<Job<int>> job;
  };
  const auto shared = std::make_shared<Shared>();  // the thread ends after this test
  shared->job = *Job<int>::start([shared](Progress& progress) -> Result<int> {
    shared->begin.acquire();
    progress.expect(10);
    return 1;
  });
  shared->job->on_progress([shared](const JobEvent&) {
    if (!shared->job) return;
    auto dying = std::move(shared->job);
    shared->job.reset();
    dying.reset();
    shared->destroyed.release();
  });
  shared->begin.release();
  shared->destroyed.acquire();
}

TEST_CASE("the job's thread takes no signals from the program") {
  sigset_t mask;
  sigemptyset(&mask);
  HeldJob held([&](Progress&) -> Result<int> {
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return 1;
  });
  CHECK(held.run() == 1);
  CHECK(sigismember(&mask, SIGINT) == 1);
  CHECK(sigismember(&mask, SIGXFSZ) == 1);
  CHECK(sigismember(&mask, SIGSEGV) == 0);
  sigset_t own;
  pthread_sigmask(SIG_SETMASK, nullptr, &own);
  CHECK(sigismember(&own, SIGINT) == 0);
}
