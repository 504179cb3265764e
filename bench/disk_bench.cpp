// Reading and writing through Disk, against plain pread and pwrite on a file of the same content
// in the same run. plain/ is the base of every ratio; raw/ shows what Disk itself costs.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "subject.h"

namespace {

using bench::fill;
using bench::Folder;
using bench::offsets;
using bench::payload;
using bench::Subject;
using vdisk::kib;
using vdisk::u64;

struct Access {
  u64 length;
  bool shuffled;
};

void read(benchmark::State& state, const std::string& kind, Access access) {
  const Folder folder;
  const auto subject = folder.make(kind);
  fill(*subject);
  const auto places = offsets(access.length, access.shuffled);
  std::vector<std::byte> out(access.length);
  std::size_t next = 0;
  for (auto _ : state) subject->read(places[next++ % places.size()], out);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(access.length));
}

void overwrite(benchmark::State& state, const std::string& kind, Access access) {
  const Folder folder;
  const auto subject = folder.make(kind);
  fill(*subject);
  const auto places = offsets(access.length, access.shuffled);
  const auto data = payload(access.length);
  std::size_t next = 0;
  for (auto _ : state) subject->write(places[next++ % places.size()], data);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(access.length));
}

/// Writes into absent places; a used-up disk is replaced outside the measured time.
void allocate(benchmark::State& state, const std::string& kind, Access access) {
  const auto places = offsets(access.length, access.shuffled);
  const auto data = payload(access.length);
  auto folder = std::make_unique<Folder>();
  auto subject = folder->make(kind);
  std::size_t next = 0;
  for (auto _ : state) {
    if (next == places.size()) {
      state.PauseTiming();
      subject.reset();
      folder = nullptr;
      folder = std::make_unique<Folder>();
      subject = folder->make(kind);
      next = 0;
      state.ResumeTiming();
    }
    subject->write(places[next++], data);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(access.length));
}

const bool registered = [] {
  constexpr Access random_4k{4 * kib, true};
  constexpr Access sequential_64k{64 * kib, false};
  for (const std::string kind : {"plain", "raw", "vhd", "vhdx"}) {
    const auto add = [&kind](const char* name, auto* function, Access access) {
      benchmark::RegisterBenchmark((kind + "/" + name).c_str(), function, kind, access)
          ->UseRealTime();
    };
    add("read_random_4k", read, random_4k);
    add("read_sequential_64k", read, sequential_64k);
    add("overwrite_random_4k", overwrite, random_4k);
    add("allocate_random_4k", allocate, random_4k);
    add("allocate_sequential_64k", allocate, sequential_64k);
  }
  return true;
}();

}  // namespace
