#include "subject.h"

#include <algorithm>
#include <random>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace bench {

namespace fs = std::filesystem;
using vdisk::kib;
using vdisk::mib;
using vdisk::u64;

namespace {

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
  explicit Image(vdisk::Disk disk) : disk_(std::move(disk)) {}
  void read(u64 offset, std::span<std::byte> out) override { must(disk_.read(offset, out)); }
  void write(u64 offset, std::span<const std::byte> data) override {
    must(disk_.write(offset, data));
  }
  void flush() override { must(disk_.flush()); }

 private:
  vdisk::Disk disk_;
};

void create(const fs::path& path, const fs::path& parent = {}) {
  vdisk::CreateOptions options;
  options.target.path = path;
  if (parent.empty()) {
    options.size = disk_size;
  } else {
    options.parent = parent;
    options.open.parents = vdisk::ParentPolicy::beside;
  }
  if (path.extension() == ".raw") options.target.type = vdisk::ImageType::fixed;
  vdisk::Progress progress;
  must(vdisk::create(options, progress));
}

std::unique_ptr<Subject> open(const fs::path& path, vdisk::Access access) {
  vdisk::OpenOptions options;
  options.access = access;
  options.parents = vdisk::ParentPolicy::beside;
  return std::make_unique<Image>(must(vdisk::Disk::open(path, options)));
}

constexpr std::size_t pages_of_a_child = 64;

}  // namespace

void must(const vdisk::Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}
void must(bool success) {
  if (!success) throw std::runtime_error("a plain system call failed");
}

Folder::Folder()
    : path_(fs::temp_directory_path() / ("vdisk_bench." + std::to_string(::getpid()))) {
  fs::create_directories(path_);
}

Folder::~Folder() {
  fs::remove_all(path_);
}

std::unique_ptr<Subject> Folder::make(const std::string& kind) const {
  if (kind == "plain") return std::make_unique<PlainFile>(path_ / "disk.plain");
  const fs::path path = path_ / ("disk." + kind);
  create(path);
  return open(path, vdisk::Access::read_write);
}

std::unique_ptr<Subject> Folder::make_chain(std::size_t depth) const {
  fs::path leaf = path_ / "layer0.vhdx";
  create(leaf);
  fill(*open(leaf, vdisk::Access::read_write));
  const auto page = payload(4 * kib);
  const auto places = offsets(page.size(), true);
  for (std::size_t number = 1; number <= depth; ++number) {
    const fs::path child = path_ / ("layer" + std::to_string(number) + ".vhdx");
    create(child, leaf);
    const auto disk = open(child, vdisk::Access::read_write);
    for (std::size_t count = 0; count < pages_of_a_child; ++count) {
      disk->write(places[number * pages_of_a_child + count], page);
    }
    disk->flush();
    leaf = child;
  }
  return open(leaf, vdisk::Access::read_only);
}

std::vector<std::byte> payload(std::size_t size) {
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

std::vector<u64> offsets(u64 length, bool shuffled) {
  std::vector<u64> all;
  for (u64 offset = 0; offset < disk_size; offset += length) all.push_back(offset);
  std::mt19937_64 random(seed);
  if (shuffled) std::shuffle(all.begin(), all.end(), random);
  return all;
}

}  // namespace bench
