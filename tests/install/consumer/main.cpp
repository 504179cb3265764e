// A program of somebody else: uses the installed headers and library, nothing of the sources.
// Creates a disk, snapshots it, changes the snapshot, merges it as a job and reads the result.
#include <array>
#include <cstddef>
#include <cstdio>
#include <filesystem>

#include "vdisk/job.h"
#include "vdisk/operations.h"
#include "vdisk/version.h"

namespace {

namespace fs = std::filesystem;
constexpr vdisk::u64 disk_size = 8 * vdisk::mib;

template <class T>
bool succeeded(const char* what, const vdisk::Result<T>& result) {
  if (!result) std::fprintf(stderr, "%s: %s\n", what, result.error().message.c_str());
  return result.has_value();
}

bool create(const fs::path& path, const fs::path& parent) {
  vdisk::CreateOptions options;
  options.target.path = path;
  if (parent.empty()) options.size = disk_size;
  if (!parent.empty()) options.parent = parent;
  vdisk::Progress progress;
  return succeeded("create", vdisk::create(options, progress));
}

bool write(const fs::path& path, std::byte value) {
  std::array<std::byte, 4096> block{};
  block.fill(value);
  vdisk::OpenOptions options;
  options.access = vdisk::Access::read_write;
  options.parents = vdisk::ParentPolicy::beside;
  auto disk = vdisk::Disk::open(path, options);
  return succeeded("open", disk) && succeeded("write", disk->write(vdisk::mib, block)) &&
         succeeded("close", disk->close());
}

bool merge(const fs::path& child) {
  vdisk::MergeOptions options;
  options.child = child;
  options.open.parents = vdisk::ParentPolicy::beside;
  auto job = vdisk::Job<vdisk::Merged>::start(
      [options](vdisk::Progress& progress) { return vdisk::merge(options, progress); });
  return succeeded("start", job) && succeeded("merge", std::move(*job).wait());
}

bool reads(const fs::path& path, std::byte value) {
  std::array<std::byte, 4096> block{};
  auto disk = vdisk::Disk::open(path);
  return succeeded("open", disk) && succeeded("read", disk->read(vdisk::mib, block)) &&
         block.front() == value && block.back() == value;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path folder = argv[1];
  std::printf("libvdisk %s\n", std::string(vdisk::version()).c_str());
  constexpr std::byte old_value{0x11};
  constexpr std::byte new_value{0x22};
  const bool good = create(folder / "base.vhdx", {}) && write(folder / "base.vhdx", old_value) &&
                    create(folder / "child.vhdx", folder / "base.vhdx") &&
                    write(folder / "child.vhdx", new_value) &&
                    reads(folder / "base.vhdx", old_value) && merge(folder / "child.vhdx") &&
                    reads(folder / "base.vhdx", new_value);
  return good ? 0 : 1;
}
