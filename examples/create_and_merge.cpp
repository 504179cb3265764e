/// Creates a disk, takes a snapshot, writes into it, and merges it back, with progress. C++23.
///
///   c++ -std=c++23 create_and_merge.cpp $(pkg-config --cflags --libs vdisk) -o create_and_merge
///   ./create_and_merge FOLDER
#include <chrono>
#include <cstdio>
#include <vector>

#include "vdisk/job.h"
#include "vdisk/operations.h"

namespace {

using vdisk::Progress;

/// Runs an operation as a job and shows how far it is.
template <class Output>
vdisk::Result<Output> run(const char* what,
                          std::function<vdisk::Result<Output>(Progress&)> operation) {
  auto job = vdisk::Job<Output>::start(std::move(operation));
  if (!job) return std::unexpected(std::move(job).error());
  for (;;) {
    auto result = job->wait_for(std::chrono::milliseconds(50));
    std::fprintf(stderr, "\r%s: %3u %%", what, job->query_status().percent);
    if (!result) continue;
    std::fputc('\n', stderr);
    return *std::move(result);
  }
}

vdisk::Status fill(const std::filesystem::path& path, vdisk::OpenOptions open) {
  open.access = vdisk::Access::read_write;
  auto disk = vdisk::Disk::open(path, open);
  if (!disk) return std::unexpected(std::move(disk).error());
  const std::vector<std::byte> data(vdisk::mib, std::byte{'v'});
  for (vdisk::u64 index = 0; index < 8; ++index) {
    if (auto written = disk->write(3 * index * vdisk::mib, data); !written) return written;
  }
  return disk->close();  // what was written is durable now
}

vdisk::Status create_fill_merge(const std::filesystem::path& folder) {
  vdisk::OpenOptions open;
  open.parents = vdisk::ParentPolicy::beside;
  const vdisk::CreateOptions base{.target = {.path = folder / "base.vhdx"},
                                  .size = 64 * vdisk::mib};
  const vdisk::CreateOptions child{
      .target = {.path = folder / "child.vhdx"}, .parent = base.target.path, .open = open};
  for (const auto& options : {base, child}) {
    auto created = run<vdisk::CreatedDisk>(
        "create", [&](Progress& progress) { return vdisk::create(options, progress); });
    if (!created) return std::unexpected(std::move(created).error());
  }
  if (auto filled = fill(child.target.path, open); !filled) return filled;
  const vdisk::MergeOptions merging{
      .child = child.target.path, .delete_children = true, .open = open};
  auto merged = run<vdisk::Merged>(
      "merge", [&](Progress& progress) { return vdisk::merge(merging, progress); });
  if (!merged) return std::unexpected(std::move(merged).error());
  std::printf("%s took %llu bytes\n", merged->into.c_str(),
              static_cast<unsigned long long>(merged->merged_bytes));
  return {};
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", words[0]);
    return 3;
  }
  const auto done = create_fill_merge(words[1]);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 2;
}
