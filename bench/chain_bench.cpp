// Reading through chains of children, each with scattered pages of its own; depth_0 is the base of
// the ratios.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "subject.h"

namespace {

using vdisk::kib;
using vdisk::mib;
using vdisk::u64;

void read(benchmark::State& state, std::size_t depth, u64 length, bool shuffled) {
  const bench::Folder folder;
  const auto leaf = folder.make_chain(depth);
  const auto places = bench::offsets(length, shuffled);
  std::vector<std::byte> out(length);
  std::size_t next = 0;
  for (auto _ : state) leaf->read(places[next++ % places.size()], out);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(length));
}

const bool registered = [] {
  for (const std::size_t depth : {0U, 1U, 8U, 64U}) {
    const auto add = [depth](const char* name, u64 length, bool shuffled) {
      const std::string full = std::string("vhdx/") + name + "/depth_" + std::to_string(depth);
      benchmark::RegisterBenchmark(full.c_str(), read, depth, length, shuffled)->UseRealTime();
    };
    add("read_random_4k", 4 * kib, true);
    add("read_sequential_1m", mib, false);
  }
  return true;
}();

}  // namespace
