// Reading and writing through Disk, against plain pread and pwrite on a file of the same content
// in the same run. plain/ is the base of every ratio; raw/ shows what Disk itself costs.
//
// Files lie in the temporary directory of the system (TMPDIR) and are removed at the end.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include "vdisk/operations.h"

namespace {

namespace fs = std::filesystem;
using vdisk::kib;
using vdisk::mib;
using vdisk::u64;

constexpr u64 disk_size = 256 * mib;
constexpr u64 seed = 20240601;

template <class T>
T must(vdisk::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}
void must(const vdisk::Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}
void must(bool success) {
  if (!success) throw std::runtime_error("a plain system call failed");
}

/// What is measured: a disk of disk_size bytes.
class Subject {
 public:
  Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;
  virtual ~Subject() = default;
  virtual void read(u64 offset, std::span<std::byte> out) = 0;
  virtual void write(u64 offset, std::span<const std::byte> data) = 0;
  virtual void flush() = 0;
};

class PlainFile : public Subject {
 public:
  explicit PlainFile(const fs::path& path)
      : descriptor_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    must(descriptor_ >= 0 && ::ftruncate(descriptor_, disk_size) == 0);
  }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;
  ~PlainFile() override { ::close(descriptor_); }
  void read(u64 offset, std::span<std::byte> out) override {
    must(::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset)) ==
         std::ssize(out));
  }
  void write(u64 offset, std::span<const std::byte> data) override {
    must(::pwrite(descriptor_, data.data(), data.size(), static_cast<off_t>(offset)) ==
         std::ssize(data));
  }
  void flush() override { must(::fdatasync(descriptor_) == 0); }

 private:
  int descriptor_;
};

class Image : public Subject {
 public:
  explicit Image(const fs::path& path) : disk_(create_and_open(path)) {}
  void read(u64 offset, std::span<std::byte> out) override { must(disk_.read(offset, out)); }
  void write(u64 offset, std::span<const std::byte> data) override {
    must(disk_.write(offset, data));
  }
  void flush() override { must(disk_.flush()); }

 private:
  static vdisk::Disk create_and_open(const fs::path& path) {
    vdisk::CreateOptions create;
    create.target.path = path;
    create.size = disk_size;
    if (path.extension() == ".raw") create.target.type = vdisk::ImageType::fixed;
    vdisk::Progress progress;
    must(vdisk::create(create, progress));
    vdisk::OpenOptions open;
    open.access = vdisk::Access::read_write;
    return must(vdisk::Disk::open(path, open));
  }
  vdisk::Disk disk_;
};

/// A folder of one benchmark, removed with it.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("vdisk_bench." + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  [[nodiscard]] std::unique_ptr<Subject> make(const std::string& kind) const {
    if (kind == "plain") return std::make_unique<PlainFile>(path_ / "disk.plain");
    return std::make_unique<Image>(path_ / ("disk." + kind));
  }

 private:
  fs::path path_;
};

std::vector<std::byte> payload(u64 size) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> data(size);
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

void fill(Subject& subject) {
  const auto data = payload(mib);
  for (u64 offset = 0; offset < disk_size; offset += mib) subject.write(offset, data);
  subject.flush();
}

/// Every offset of the disk once, in an order that depends on the seed alone.
std::vector<u64> offsets(u64 length, bool shuffled) {
  std::vector<u64> all;
  for (u64 offset = 0; offset < disk_size; offset += length) all.push_back(offset);
  std::mt19937_64 random(seed);
  if (shuffled) std::shuffle(all.begin(), all.end(), random);
  return all;
}

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
