/// What the tests of mirror and follow share.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "support/memory_place.h"
#include "vdisk/job.h"
#include "vdisk/mirror.h"

namespace vdisk::test {

/// Ends the test when something does not come true.
template <class Condition>
void wait_until(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited in vain");
    std::this_thread::yield();
  }
}

inline const std::filesystem::path copy_path = "/disks/copy";

/// A target of that name and extension in memory.
inline Target copy_target(const std::string& extension) {
  Target target;
  target.path = copy_path.string() + "." + extension;
  if (extension == "vhdx") target.block_size = u32{mib};
  return target;
}

/// Neither the copy nor a temporary.
inline bool nothing_left(const MemoryPlace& place) {
  const auto names = place.files->list("/disks").value();
  return std::ranges::none_of(
      names, [](const auto& name) { return name.string().find("copy") != std::string::npos; });
}

inline std::vector<std::byte> content(const Disk& disk) {
  return read(disk, 0, disk.size());
}

inline Job<CreatedDisk> start_mirror(const MemoryPlace& place, Disk& source, const Target& target,
                                     const MirrorSwitch& mirror_switch) {
  MirrorOptions options{.target = target, .file_system = place.files};
  auto job = Job<CreatedDisk>::start([&source, options, mirror_switch](Progress& progress) {
    return mirror(source, options, mirror_switch, progress);
  });
  REQUIRE(job);
  return *std::move(job);
}

/// Also when it ends before it is in step: then the test fails with its error.
template <class Output>
void wait_until_in_step(Job<Output>& job, const MirrorSwitch& mirror_switch) {
  wait_until(
      [&] { return mirror_switch.in_step() || job.status().operation_status != Errc::pending; });
  if (mirror_switch.in_step()) return;
  const auto result = std::move(job).wait();
  throw std::runtime_error(result ? "ended" : result.error().message);
}

}  // namespace vdisk::test
