// The rules P1 .. P14 of docs/jobs.md, each in a test named after it.
#include "vdisk/job.h"

#include <atomic>
#include <filesystem>
#include <future>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
using namespace vdisk;
using namespace std::chrono_literals;

namespace {

using IntJob = Job<int>;

/// Starts a job that must start.
template <class Operation>
IntJob start(Operation operation) {
  auto job = IntJob::start(operation);
  REQUIRE(job);
  return *std::move(job);
}

/// An operation that stops in its middle until it is told to go on.
struct Gate {
  std::binary_semaphore reached{0};
  std::binary_semaphore open{0};

  void pass() {
    reached.release();
    open.acquire();
  }
};

/// Makes progress until somebody cancels.
Result<int> run_until_canceled(Progress& progress) {
  progress.expect(~u64{0});
  for (;;) {
    if (auto advanced = progress.advance(1); !advanced) {
      return std::unexpected(std::move(advanced).error());
    }
  }
}

void wait_until(const std::atomic<bool>& flag) {
  while (!flag) std::this_thread::yield();
}

std::size_t entries(const char* directory) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

}  // namespace

TEST_CASE("P1: a job at 100 % is pending until its operation has returned") {
  Gate gate;
  auto job = start([&](Progress& progress) -> Result<int> {
    progress.expect(10);
    (void)progress.advance(10);
    gate.pass();
    return 1;
  });
  gate.reached.acquire();
  const JobStatus full = job.status();
  CHECK(full.operation_status == Errc::pending);
  CHECK(full.current_value == full.completion_value);
  gate.open.release();
  CHECK(std::move(job).wait() == 1);
}

TEST_CASE("P2: after success both values are equal") {
  auto job = start([](Progress& progress) -> Result<int> {
    progress.expect(100);
    (void)progress.advance(3);
    return 1;
  });
  REQUIRE(job.wait_for(1h));
  CHECK(job.status().operation_status == Errc::success);
  CHECK(job.status().current_value == job.status().completion_value);
}

TEST_CASE("P2: after a failure only the code says something, and the values do not lie") {
  auto job = start([](Progress& progress) -> Result<int> {
    progress.expect(100);
    (void)progress.advance(3);
    return fail(Errc::no_space, "full");
  });
  REQUIRE(job.wait_for(1h));
  CHECK(job.status().operation_status == Errc::no_space);
  CHECK(job.status().current_value < job.status().completion_value);
}

TEST_CASE("P3: both values come from one snapshot while the scale changes") {
  std::atomic<bool> stop = false;
  std::latch started(1);
  auto job = start([&](Progress& progress) -> Result<int> {
    started.count_down();
    for (u64 scale = 1; !stop; scale = scale % 1000 + 1) {
      progress.expect(scale);
      for (u64 step = 0; step < scale; ++step) (void)progress.advance(1);
    }
    return 1;
  });
  started.wait();
  u64 lies = 0;
  for (int poll = 0; poll < 10000; ++poll) {
    const JobStatus now = job.status();
    if (now.current_value > now.completion_value || now.completion_value > 1000) ++lies;
  }
  stop = true;
  CHECK(lies == 0);
  CHECK(std::move(job).wait() == 1);
}

TEST_CASE("P3: advancing further than expected stays at the completion value") {
  Progress progress;
  progress.expect(10);
  CHECK(progress.advance(~u64{0}));
  CHECK(progress.advance(~u64{0}));
  CHECK(progress.status().current_value == 10);
}

TEST_CASE("P4: the completion value is never 0 while pending") {
  Gate gate;
  auto job = start([&](Progress& progress) -> Result<int> {
    gate.pass();
    progress.expect(0);
    gate.pass();
    return 1;
  });
  gate.reached.acquire();
  CHECK(job.status().completion_value > 0);
  gate.open.release();
  gate.reached.acquire();
  CHECK(job.status().completion_value > 0);
  CHECK(job.query_status().percent == 0);
  gate.open.release();
  CHECK(std::move(job).wait() == 1);
}

TEST_CASE("P5: the percentage may fall when a new phase begins") {
  Gate gate;
  auto job = start([&](Progress& progress) -> Result<int> {
    progress.phase("scan");
    progress.expect(4);
    (void)progress.advance(3);
    gate.pass();
    progress.phase("copy");
    progress.expect(1000);
    (void)progress.advance(10);
    gate.pass();
    return 1;
  });
  gate.reached.acquire();
  CHECK(job.query_status().percent == 75);
  gate.open.release();
  gate.reached.acquire();
  CHECK(job.query_status().percent == 1);
  gate.open.release();
  CHECK(std::move(job).wait() == 1);
}

TEST_CASE("P6: percent is at most 99 while pending and 100 once ended") {
  for (const bool success : {true, false}) {
    Gate gate;
    auto job = start([&](Progress& progress) -> Result<int> {
      gate.pass();
      progress.expect(~u64{0});
      (void)progress.advance(~u64{0});
      gate.pass();
      if (!success) return fail(Errc::io, "broken");
      return 1;
    });
    gate.reached.acquire();
    CHECK(job.query_status().code == Errc::pending);
    CHECK(job.query_status().percent == 0);
    gate.open.release();
    gate.reached.acquire();
    CHECK(job.query_status().percent == 99);
    gate.open.release();
    REQUIRE(job.wait_for(1h));
    CHECK(job.query_status().percent == 100);
    CHECK(job.query_status().code == (success ? Errc::success : Errc::io));
  }
}

TEST_CASE("P7: status answers while the operation stands still") {
  Gate gate;
  auto job = start([&](Progress&) -> Result<int> {
    gate.pass();
    return 1;
  });
  gate.reached.acquire();
  CHECK(job.status().operation_status == Errc::pending);
  CHECK(job.query_status().code == Errc::pending);
  gate.open.release();
  CHECK(std::move(job).wait() == 1);
}

TEST_CASE("P7: status answers while a callback stands still") {
  Gate gate;
  std::binary_semaphore begin(0);
  std::atomic<bool> blocked = false;
  auto job = start([&](Progress& progress) -> Result<int> {
    begin.acquire();
    progress.expect(10);
    return 1;
  });
  job.on_progress([&](const JobEvent&) {
    if (!blocked.exchange(true)) gate.pass();
  });
  begin.release();
  gate.reached.acquire();
  CHECK(job.status().completion_value == 10);
  gate.open.release();
  CHECK(std::move(job).wait() == 1);
}

TEST_CASE("P8: waiting for a failed job succeeds, the result carries the operation's error") {
  auto job = start([](Progress&) -> Result<int> {
    return std::unexpected(Error{Errc::bat_invalid, "entry 3", 5, 0x600});
  });
  const auto waited = job.wait_for(1h);
  REQUIRE(waited);
  REQUIRE_FALSE(*waited);
  CHECK(waited->error().code == Errc::bat_invalid);
  CHECK(waited->error().message == "entry 3");
  CHECK(waited->error().os_error == 5);
  CHECK(waited->error().offset == 0x600u);
}

TEST_CASE("P9: a failed or canceled job has no output, and its captures are released") {
  const auto token = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = token;
  {
    auto job = Job<std::shared_ptr<int>>::start(
        [token](Progress& progress) -> Result<std::shared_ptr<int>> {
          while (!progress.canceled()) std::this_thread::yield();
          return token;  // it did not look: a cancel that has won counts all the same
        });
    REQUIRE(job);
    CHECK(job->cancel() == Errc::canceled);
    const auto result = std::move(*job).wait();
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::canceled);
  }
  CHECK(watch.use_count() == 1);
}

TEST_CASE("P9: the output can be taken once") {
  auto job = start([](Progress&) -> Result<int> { return 5; });
  CHECK(**job.wait_for(1h) == 5);
  CHECK(std::move(job).wait().error().code == Errc::invalid_handle);
}

TEST_CASE("P10: a cancel before the point of no return wins, a second one says so") {
  Gate gate;
  auto job = start([&](Progress& progress) -> Result<int> {
    gate.pass();
    CHECK(progress.canceled());
    CHECK(progress.advance(1).error().code == Errc::canceled);
    CHECK(progress.point_of_no_return().error().code == Errc::canceled);
    return fail(Errc::io, "cleaning up failed");
  });
  gate.reached.acquire();
  CHECK(job.cancel() == Errc::canceled);
  CHECK(job.cancel() == Errc::already_canceled);
  CHECK(job.status().operation_status == Errc::pending);
  gate.open.release();
  const auto waited = job.wait_for(1h);
  REQUIRE(waited);
  CHECK(waited->error().code == Errc::canceled);
  CHECK(waited->error().message == "canceled; cleaning up failed");
  CHECK(job.status().operation_status == Errc::canceled);
  CHECK(job.cancel() == Errc::already_canceled);
}

TEST_CASE("P10: a cancel behind the point of no return is too late, the job goes on") {
  Gate gate;
  auto job = start([&](Progress& progress) -> Result<int> {
    progress.expect(4);
    CHECK(progress.point_of_no_return());
    gate.pass();
    CHECK_FALSE(progress.canceled());
    CHECK(progress.point_of_no_return());
    CHECK(progress.advance(2));
    gate.pass();
    return 1;
  });
  gate.reached.acquire();
  CHECK(job.cancel() == Errc::too_late);
  gate.open.release();
  gate.reached.acquire();
  CHECK(job.query_status().percent == 50);
  CHECK(job.cancel() == Errc::too_late);
  gate.open.release();
  CHECK(std::move(job).wait() == 1);
}

TEST_CASE("P10: a cancel after the end is too late") {
  auto job = start([](Progress&) -> Result<int> { return 1; });
  REQUIRE(job.wait_for(1h));
  CHECK(job.cancel() == Errc::too_late);
}

TEST_CASE("P10: cancel and point of no return agree who won, 1,000 rounds in every order") {
  enum Order { cancel_first, commit_first, race };
  int won = 0;
  for (int round = 0; round < 1000; ++round) {
    const Order order = round % 4 == 0 ? cancel_first : round % 4 == 1 ? commit_first : race;
    std::atomic<bool> cancel_called = false;
    std::atomic<bool> commit_called = false;
    std::atomic<bool> go = false;
    bool committed = false;
    auto job = start([&](Progress& progress) -> Result<int> {
      wait_until(order == cancel_first ? cancel_called : go);
      for (int step = 0; step < round % 97; ++step) (void)progress.canceled();
      committed = progress.point_of_no_return().has_value();
      commit_called = true;
      return 1;
    });
    go = true;
    if (order == commit_first) wait_until(commit_called);
    for (int step = 0; step < round % 89; ++step) (void)job.status();
    const Errc answer = job.cancel();
    cancel_called = true;
    const auto result = std::move(job).wait();
    REQUIRE((answer == Errc::canceled || answer == Errc::too_late));
    REQUIRE(committed == (answer == Errc::too_late));
    REQUIRE(result.has_value() == (answer == Errc::too_late));
    if (order != race) REQUIRE(committed == (order == commit_first));
    if (answer == Errc::canceled) ++won;
  }
  CHECK(won >= 250);
  CHECK(won <= 750);
}

TEST_CASE("P10: of two cancels exactly one wins, 1,000 races") {
  for (int round = 0; round < 1000; ++round) {
    auto job = start(run_until_canceled);
    std::latch together(2);
    auto other = std::async(std::launch::async, [&] {
      together.arrive_and_wait();
      return job.cancel();
    });
    together.arrive_and_wait();
    const Errc mine = job.cancel();
    const Errc theirs = other.get();
    REQUIRE((mine == Errc::canceled) != (theirs == Errc::canceled));
    REQUIRE((mine == Errc::already_canceled) != (theirs == Errc::already_canceled));
    REQUIRE(std::move(job).wait().error().code == Errc::canceled);
  }
}

TEST_CASE("P11: a wait that runs out of time leaves the job alone") {
  Gate gate;
  auto job = start([&](Progress&) -> Result<int> {
    gate.pass();
    return 7;
  });
  gate.reached.acquire();
  CHECK_FALSE(job.wait_for(10ms));
  CHECK_FALSE(job.wait_for(0ns));
  CHECK_FALSE(job.wait_for(-1s));
  CHECK(job.status().operation_status == Errc::pending);
  gate.open.release();
  CHECK(**job.wait_for(std::chrono::nanoseconds::max()) == 7);
}

TEST_CASE("P12: a mirror in step stays pending until it is broken off or canceled") {
  for (const bool broken : {true, false}) {
    std::atomic<bool> break_mirror = false;
    std::latch in_step(1);
    auto job = start([&](Progress& progress) -> Result<int> {
      progress.expect(100);
      (void)progress.advance(100);
      in_step.count_down();
      while (!break_mirror) {
        if (progress.canceled()) return fail(Errc::canceled, "mirror canceled");
        std::this_thread::yield();
      }
      return 1;
    });
    in_step.wait();
    CHECK_FALSE(job.wait_for(10ms));
    const JobStatus now = job.status();
    CHECK(now.operation_status == Errc::pending);
    CHECK(now.current_value == now.completion_value);
    if (broken) {
      break_mirror = true;
      CHECK(std::move(job).wait() == 1);
    } else {
      CHECK(job.cancel() == Errc::canceled);
      CHECK(std::move(job).wait().error().message == "mirror canceled");
    }
  }
}

TEST_CASE("P13: canceled at every step, an operation that cleans up leaves nothing; a rerun ends") {
  constexpr int steps = 20;
  int left_behind = 0;
  const auto operation = [&](Progress& progress, int stop_at, Gate* gate) -> Result<int> {
    left_behind = 1;
    for (int step = 0; step < steps; ++step) {
      if (gate != nullptr && step == stop_at) gate->pass();
      if (!progress.advance(1)) {
        left_behind = 0;
        return fail(Errc::canceled, "canceled");
      }
    }
    return steps;
  };
  for (int step = 0; step < steps; ++step) {
    Gate gate;
    auto job = start([&](Progress& progress) { return operation(progress, step, &gate); });
    gate.reached.acquire();
    CHECK(job.cancel() == Errc::canceled);
    gate.open.release();
    CHECK(std::move(job).wait().error().code == Errc::canceled);
    CHECK(left_behind == 0);
    auto rerun = start([&](Progress& progress) { return operation(progress, -1, nullptr); });
    CHECK(std::move(rerun).wait() == steps);
  }
}

TEST_CASE("P14: 1,000 jobs leave no thread and no descriptor behind") {
  {
    auto warm_up = start([](Progress&) -> Result<int> { return 1; });
  }
  const std::size_t descriptors = entries("/proc/self/fd");
  const std::size_t threads = entries("/proc/self/task");
  for (int round = 0; round < 1000; ++round) {
    if (round % 2 == 0) {
      auto job = start(run_until_canceled);
      REQUIRE(job.event_fd());
    } else {
      auto job = start([](Progress&) -> Result<int> { return 1; });
      REQUIRE(job.event_fd());
    }
  }
  CHECK(entries("/proc/self/fd") == descriptors);
  CHECK(entries("/proc/self/task") == threads);
}
