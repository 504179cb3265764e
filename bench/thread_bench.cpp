// The same disk used by 2 and 4 threads at once, each in places of its own order.
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "subject.h"

namespace {

using vdisk::kib;
using vdisk::u64;

constexpr u64 length = 4 * kib;

/// Made by the first thread before the others begin, and removed after they have ended.
struct Shared {
  bench::Folder folder = {};
  std::unique_ptr<bench::Subject> subject = {};
};
std::unique_ptr<Shared> shared;

void use(benchmark::State& state, const std::string& kind, bool writing) {
  if (state.thread_index() == 0) {
    shared = std::make_unique<Shared>();
    shared->subject = shared->folder.make(kind);
    bench::fill(*shared->subject);
  }
  auto places = bench::offsets(length, false);
  std::mt19937_64 random(static_cast<u64>(state.thread_index()));
  std::shuffle(places.begin(), places.end(), random);
  std::vector<std::byte> data(length);
  std::size_t next = 0;
  for (auto _ : state) {
    const u64 place = places[next++ % places.size()];
    if (writing) {
      shared->subject->write(place, data);
    } else {
      shared->subject->read(place, data);
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(length));
  if (state.thread_index() == 0) shared = nullptr;
}

const bool registered = [] {
  for (const std::string kind : {"plain", "vhd", "vhdx"}) {
    for (const bool writing : {false, true}) {
      const std::string name = kind + (writing ? "/overwrite_random_4k" : "/read_random_4k");
      benchmark::RegisterBenchmark(name.c_str(), use, kind, writing)
          ->ThreadRange(2, 4)
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
