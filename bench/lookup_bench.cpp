// Looking up where bytes are: Image::extent_at on images in memory, at random offsets, limit 4 KiB.
//
// full: every block is stored; empty: none; checkerboard: every second one, so that no two
// neighbours can be merged into one run. whole_map walks the disk from end to end.
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "formats/formats.h"
#include "io/memory_file.h"

namespace {

using vdisk::gib;
using vdisk::kib;
using vdisk::mib;
using vdisk::u64;

enum class Pattern { empty, full, checkerboard };

constexpr u64 disk_size = 4 * gib;
constexpr u64 seed = 20240601;
constexpr std::size_t sample_count = 4096;

template <class T>
T must(vdisk::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
void must(const vdisk::Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

/// Allocates blocks without payload: the file is in memory and sparse.
void allocate(vdisk::Image& image, Pattern pattern) {
  const u64 block = image.geometry().block_size;
  const u64 stride = pattern == Pattern::full ? block : 2 * block;
  for (u64 offset = 0; offset < disk_size; offset += stride) {
    must(image.commit(must(image.reserve(offset, block))));
    if (offset % (256 * block) == 0) must(image.flush());
  }
  must(image.flush());
}

std::unique_ptr<vdisk::Image> make(const std::string& format_name, Pattern pattern) {
  const vdisk::Format* format = vdisk::find_format(format_name);
  if (format == nullptr) throw std::runtime_error("no format " + format_name);
  vdisk::CreateSpec spec;
  spec.virtual_size = disk_size;
  spec.block_size = 2 * mib;
  spec.id.emplace().bytes.fill(1);
  must(format->complete(spec));
  auto file = std::make_shared<vdisk::MemoryFile>();
  must(format->create(*file, spec));
  vdisk::ImageOptions options;
  options.access = vdisk::Access::read_write;
  auto image = must(format->open(file, options));
  if (pattern != Pattern::empty) allocate(*image, pattern);
  return image;
}

void lookup(benchmark::State& state, const std::string& format, Pattern pattern) {
  const auto image = make(format, pattern);
  std::mt19937_64 random(seed);
  std::vector<u64> offsets(sample_count);
  for (u64& offset : offsets) offset = random() % (disk_size / (4 * kib)) * 4 * kib;
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(image->extent_at(offsets[next++ % sample_count], 4 * kib));
  }
  state.SetItemsProcessed(state.iterations());
}

void whole_map(benchmark::State& state, const std::string& format, Pattern pattern) {
  const auto image = make(format, pattern);
  std::int64_t extents = 0;
  for (auto _ : state) {
    for (u64 offset = 0; offset < disk_size; ++extents) {
      offset += must(image->extent_at(offset, disk_size - offset)).length;
    }
  }
  state.SetItemsProcessed(extents);
}

const bool registered = [] {
  const std::pair<const char*, Pattern> patterns[] = {
      {"empty", Pattern::empty}, {"full", Pattern::full}, {"checkerboard", Pattern::checkerboard}};
  for (const std::string format : {"vhd", "vhdx"}) {
    for (const auto& [name, pattern] : patterns) {
      benchmark::RegisterBenchmark((format + "/lookup_" + name).c_str(), lookup, format, pattern);
      benchmark::RegisterBenchmark((format + "/whole_map_" + name).c_str(), whole_map, format,
                                   pattern);
    }
  }
  return true;
}();

}  // namespace
