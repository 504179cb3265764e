#include "support/memory_place.h"

#include <stdexcept>

namespace vdisk::test {
namespace {

template <class T>
T must_have(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

const std::filesystem::path folder = "/disks";

}  // namespace

OpenOptions MemoryPlace::options(Access access) const {
  OpenOptions result;
  result.access = access;
  result.parents = ParentPolicy::beside;
  result.file_system = files;
  return result;
}

std::filesystem::path MemoryPlace::create(const std::string& name, u64 size, Target target) const {
  CreateOptions create_options;
  create_options.target = std::move(target);
  create_options.target.path = folder / name;
  create_options.size = size;
  create_options.open = options();
  Progress progress;
  return must_have(vdisk::create(create_options, progress)).path;
}

std::filesystem::path MemoryPlace::snapshot(const std::filesystem::path& parent,
                                            const std::string& name, Target target) const {
  CreateOptions create_options;
  create_options.target = std::move(target);
  create_options.target.path = folder / name;
  create_options.parent = parent;
  create_options.open = options();
  Progress progress;
  return must_have(vdisk::create(create_options, progress)).path;
}

Disk MemoryPlace::open(const std::filesystem::path& path, Access access) const {
  return must_have(Disk::open(path, options(access)));
}

CheckReport MemoryPlace::check(const std::filesystem::path& path) const {
  CheckOptions check_options;
  check_options.path = path;
  check_options.open = options();
  Progress progress;
  return must_have(vdisk::check(check_options, progress)).front().report;
}

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

std::vector<std::byte> filled(u64 length, int value) {
  return std::vector<std::byte>(length, static_cast<std::byte>(value));
}

std::vector<std::byte> read(const Disk& disk, u64 offset, u64 length) {
  std::vector<std::byte> data(length);
  must(disk.read(offset, data));
  return data;
}

void write_and_close(const MemoryPlace& place, const std::filesystem::path& path, u64 offset,
                     std::span<const std::byte> data) {
  auto disk = place.open(path, Access::read_write);
  must(disk.write(offset, data));
  must(disk.close());
}

}  // namespace vdisk::test
