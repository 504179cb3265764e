// Checksums and the test for zeros: hot (a buffer that fits the cache) and cold (one that does
// not).
#include <vector>

#include <benchmark/benchmark.h>

#include "base/checksum.h"

namespace {

using vdisk::kib;
using vdisk::mib;

constexpr benchmark::IterationCount cold_size = 256 * static_cast<long>(mib);

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// Values that the compiler cannot know.
std::vector<std::byte> noise(long size) {
  std::vector<std::byte> data(static_cast<std::size_t>(size));
  vdisk::u64 value = 0x9e3779b97f4a7c15;
  for (std::byte& byte : data) {
    value = value * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<std::byte>(value >> 56);
  }
  return data;
}

void crc32c(benchmark::State& state) {
  const auto data = noise(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(vdisk::crc32c(data));
  count_bytes(state);
}

void vhd_checksum(benchmark::State& state) {
  const auto data = noise(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(vdisk::vhd_checksum(data, 64));
  count_bytes(state);
}

/// The worst case: everything has to be looked at.
void is_zero(benchmark::State& state) {
  std::vector<std::byte> data(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(data.data());
    benchmark::DoNotOptimize(vdisk::is_zero(data));
  }
  count_bytes(state);
}

BENCHMARK(crc32c)->Name("base/crc32c")->Arg(4 * kib)->Arg(64 * kib)->Arg(mib)->Arg(cold_size);
BENCHMARK(vhd_checksum)->Name("base/vhd_checksum")->Arg(512)->Arg(kib);
BENCHMARK(is_zero)->Name("base/is_zero")->Arg(4 * kib)->Arg(64 * kib)->Arg(mib)->Arg(cold_size);

}  // namespace
