/// HOSTILE E-05, E-06, E-12, E-17: short transfers, EINTR, EAGAIN and file systems that offer
/// little change nothing of what is done; without locks nothing is opened unless asked for.
#include <algorithm>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "support/scratch_folder.h"
#include "syscalls/interposed.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::ScratchFolder;
using test::SyscallTrouble;
using test::TroubledSyscalls;

namespace {

namespace fs = std::filesystem;

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}
void must(const Status& status) {
  if (!status) FAIL(status.error().message);
}

OpenOptions options(Access access) {
  OpenOptions options;
  options.access = access;
  options.parents = ParentPolicy::beside;
  return options;
}

std::vector<std::byte> pattern(u64 size, u64 seed) {
  std::vector<std::byte> data(size);
  for (u64 at = 0; at < size; ++at) data[at] = static_cast<std::byte>((at / 512 + 1) * seed + at);
  return data;
}

constexpr u64 disk_size = 3 * mib;

/// Guest content after everything that a small disk goes through, operation by operation.
class Life {
 public:
  Life(fs::path folder, std::string extension)
      : folder_(std::move(folder)), extension_(std::move(extension)) {}

  std::vector<std::string> live() {
    create_base();
    change(path("base"), 3);
    snapshot();
    change(path("child"), 5);
    Progress progress;
    MergeOptions merge_options;
    merge_options.child = path("child");
    merge_options.delete_children = true;
    merge_options.open = options(Access::read_write);
    must(merge(merge_options, progress));
    note(path("base"));
    must(
        expand({.path = path("base"), .size = disk_size + mib, .open = options(Access::read_write)},
               progress));
    note(path("base"));
    must(compact({.path = path("base"), .open = options(Access::read_write)}, progress));
    must(compact({.path = path("base"), .copy = true, .open = options(Access::read_write)},
                 progress));
    note(path("base"));
    convert_to("other.vhd");
    convert_to("other.vhdx");
    convert_to("other.raw");
    convert_to("other.raw");
    return digests_;
  }

 private:
  [[nodiscard]] fs::path path(const std::string& name) const {
    return folder_ / (name + "." + extension_);
  }
  void create_base() const {
    Progress progress;
    CreateOptions create_options;
    create_options.target.path = path("base");
    create_options.size = disk_size;
    create_options.target.block_size = mib;
    if (extension_ == "vhd") create_options.target.block_size = 512 * kib;
    must(create(create_options, progress));
  }
  void snapshot() const {
    Progress progress;
    CreateOptions create_options;
    create_options.target.path = path("child");
    create_options.parent = path("base");
    create_options.open = options(Access::read_only);
    must(create(create_options, progress));
  }
  void change(const fs::path& image, u64 seed) {
    auto disk = must(Disk::open(image, options(Access::read_write)));
    must(disk.write(512 * seed, pattern(20 * kib, seed)));
    must(disk.write(mib - 4 * kib, pattern(8 * kib, seed + 1)));
    must(disk.flush());
    must(disk.zero(512 * (seed + 2), 4 * kib));
    must(disk.write(2 * mib, pattern(64 * kib, seed + 2)));
    must(disk.close());
    note(image);
  }
  void convert_to(const std::string& name) {
    Progress progress;
    ConvertOptions convert_options;
    convert_options.source = path("base");
    convert_options.target.path = folder_ / name;
    convert_options.target.replace = true;
    convert_options.open = options(Access::read_only);
    must(convert(convert_options, progress));
    note(folder_ / name);
  }
  void note(const fs::path& image) {
    Progress progress;
    digests_.push_back(
        must(hash({.path = image, .open = options(Access::read_only)}, progress)).hex);
    const auto reports = must(check({.path = image, .open = options(Access::read_only)}, progress));
    for (const LayerReport& layer : reports) CHECK(layer.report.clean());
  }

  const fs::path folder_;
  const std::string extension_;
  std::vector<std::string> digests_;
};

std::vector<std::string> live(const std::string& extension) {
  const ScratchFolder scratch;
  return Life(scratch.path(), extension).live();
}

}  // namespace

TEST_CASE("E-06: every system call is interrupted once, and nothing happens twice or never") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    const auto expected = live(extension);
    const TroubledSyscalls troubled({.interrupt = true});
    CHECK(live(extension) == expected);
    auto counts = troubled.counts();
    for (const char* function : {"pread", "pwrite", "fallocate", "ftruncate", "fdatasync", "fsync",
                                 "rename", "renameat2", "open", "fcntl", "openat2"}) {
      CHECK_MESSAGE(counts[function] > 0, std::string(function));
    }
  }
}

TEST_CASE("E-06: files that say EAGAIN are asked again") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    const auto expected = live(extension);
    const TroubledSyscalls troubled({.again = true});
    CHECK(live(extension) == expected);
    auto counts = troubled.counts();
    for (const char* function : {"pread", "pwrite", "openat2"}) CHECK(counts[function] > 0);
  }
}

TEST_CASE("E-05: transfers that move a part only are gone on with") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    const auto expected = live(extension);
    for (const std::size_t most : {511U, 4095U, 65537U}) {
      CAPTURE(most);
      const TroubledSyscalls troubled({.most_bytes = most});
      CHECK(live(extension) == expected);
      auto counts = troubled.counts();
      for (const char* function : {"pread", "pwrite"}) CHECK(counts[function] > 0);
    }
  }
}

TEST_CASE("E-05: one byte at a time") {
  const ScratchFolder scratch;
  const fs::path path = scratch / "disk.vhd";
  Progress progress;
  CreateOptions create_options;
  create_options.target.path = path;
  create_options.size = disk_size;
  create_options.target.block_size = 512 * kib;
  const auto data = pattern(8 * kib, 3);
  std::vector<std::byte> back(data.size());
  const TroubledSyscalls troubled({.interrupt = true, .most_bytes = 1});
  must(create(create_options, progress));
  auto disk = must(Disk::open(path, options(Access::read_write)));
  must(disk.write(512 * kib - 4 * kib, data));
  must(disk.read(512 * kib - 4 * kib, back));
  CHECK(back == data);
  must(disk.close());
}

TEST_CASE("E-05, E-06: without openat2 as well") {
  const auto expected = live("vhd");
  const TroubledSyscalls troubled({.interrupt = true, .most_bytes = 4095, .no_openat2 = true});
  CHECK(live("vhd") == expected);
  CHECK(troubled.counts()["openat"] > 0);
}

TEST_CASE("E-17: a file system that offers little more than reading and writing") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    const auto expected = live(extension);
    const TroubledSyscalls troubled({.bare_file_system = true});
    CHECK(live(extension) == expected);
    auto counts = troubled.counts();
    for (const char* function : {"fallocate", "fsync", "renameat2", "lseek"}) {
      CHECK_MESSAGE(counts[function] > 0, std::string(function));
    }
  }
}

TEST_CASE("E-12: without locks nothing is opened, unless locks are not wanted") {
  const ScratchFolder scratch;
  const fs::path path = scratch / "disk.vhdx";
  Progress progress;
  CreateOptions create_options;
  create_options.target.path = path;
  create_options.size = disk_size;
  must(create(create_options, progress));
  const TroubledSyscalls troubled({.no_locks = true});
  for (const Access access : {Access::read_only, Access::read_write}) {
    auto how = options(access);
    CHECK_FALSE(Disk::open(path, how));
    how.lock = false;
    CHECK(Disk::open(path, how));
  }
  CHECK(troubled.counts()["fcntl"] > 0);
}

TEST_CASE("E-05, E-06, E-17: copies between files arrive whole") {
  const ScratchFolder scratch;
  const auto files = host_file_system();
  const auto data = pattern(300 * kib, 7);
  const auto source = must(files->create_beside(scratch / "source"));
  const auto target = must(files->create_beside(scratch / "target"));
  must(source->write_at(0, data));
  std::vector<std::byte> back(data.size() - 1);
  for (const SyscallTrouble& trouble :
       {SyscallTrouble{.interrupt = true, .most_bytes = 4095}, SyscallTrouble{.again = true},
        SyscallTrouble{.bare_file_system = true}}) {
    must(target->resize(0));
    const TroubledSyscalls troubled(trouble);
    must(target->copy_from(*source, 1, 5, data.size() - 1));
    must(target->read_at(5, back));
    CHECK(std::equal(back.begin(), back.end(), data.begin() + 1));
    CHECK_FALSE(troubled.counts().empty());
  }
}
