#include "engine/in_flight.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "engine/flush_group.h"

using namespace vdisk;

TEST_CASE("waiting ends only when the earlier requests have ended") {
  InFlight in_flight;
  auto earlier = std::make_unique<InFlight::Request>(in_flight);
  std::atomic<bool> waited = false;
  std::atomic<bool> waiting = false;
  std::thread waiter([&] {
    waiting = true;
    in_flight.wait_for_earlier();
    waited = true;
  });
  while (!waiting) std::this_thread::yield();
  for (int turn = 0; turn < 1000; ++turn) {
    const InFlight::Request later(in_flight);  // later requests neither block nor are blocked
    std::this_thread::yield();
  }
  CHECK_FALSE(waited);
  earlier.reset();
  waiter.join();
  CHECK(waited);
}

TEST_CASE("space that was freed before a wait is never seen by a reader after it") {
  // A reader looks a place up, then uses it; the writer replaces the place, waits, and reuses it.
  InFlight in_flight;
  std::atomic<int*> place = nullptr;
  int slots[2] = {1, 1};
  place = &slots[0];
  std::atomic<bool> stop = false;
  std::atomic<int> bad = 0;
  std::vector<std::thread> readers;
  for (int count = 0; count < 3; ++count) {
    readers.emplace_back([&] {
      while (!stop) {
        const InFlight::Request request(in_flight);
        if (std::atomic_ref(*place.load()).load() != 1) ++bad;
      }
    });
  }
  for (int turn = 0; turn < 2000; ++turn) {
    int* old = place.load();
    place = &slots[old == &slots[0] ? 1 : 0];
    in_flight.wait_for_earlier();
    std::atomic_ref(*old).store(0);  // reused for something else
    std::atomic_ref(*old).store(1);
  }
  stop = true;
  for (auto& reader : readers) reader.join();
  CHECK(bad == 0);
}

TEST_CASE("flush requests that wait for the same turn share one flush") {
  FlushGroup group;
  std::atomic<int> flushes = 0;
  std::atomic<int> arrived = 0;
  constexpr int thread_count = 4;
  std::vector<std::thread> threads;
  const auto slow_first_flush = [&]() -> Status {
    // The first flush lasts until all others have asked for one.
    if (++flushes == 1) {
      while (arrived < thread_count) std::this_thread::yield();
    }
    return {};
  };
  for (int count = 0; count < thread_count; ++count) {
    threads.emplace_back([&] {
      ++arrived;
      CHECK(group.run(slow_first_flush));
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(flushes >= 1);
  CHECK(flushes <= thread_count);
  CHECK(group.run(slow_first_flush));  // a later request is never served by an earlier flush
  CHECK(flushes >= 2);
}

TEST_CASE("a failed flush is reported and serves nobody else") {
  FlushGroup group;
  CHECK_FALSE(group.run([]() -> Status { return fail(Errc::io, "injected"); }));
  int flushes = 0;
  CHECK(group.run([&]() -> Status {
    ++flushes;
    return {};
  }));
  CHECK(flushes == 1);
}
