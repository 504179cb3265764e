/// HOSTILE E-25: a File of the caller that throws, or that calls the disk which it serves.
#include <functional>
#include <stdexcept>

#include <doctest/doctest.h>

#include "support/forwarding_file.h"
#include "support/memory_place.h"
#include "support/substitute_filesystem.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;

namespace {

/// Does something before each read, write and flush.
class BusyFile final : public test::ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;

  std::function<void()> before = [] {};

  Status read_at(u64 offset, std::span<std::byte> out) const override {
    before();
    return ForwardingFile::read_at(offset, out);
  }
  Status write_at(u64 offset, std::span<const std::byte> data) override {
    before();
    return ForwardingFile::write_at(offset, data);
  }
  Status flush() override {
    before();
    return ForwardingFile::flush();
  }
};

/// A disk of 4 MiB on a BusyFile; its first MiB holds 1, and it is open for writing.
struct BusyDisk {
  explicit BusyDisk(const std::string& extension) {
    path = place.create("disk." + extension, 4 * mib);
    test::write_and_close(place, path, 0, filled(mib, 1));
    auto inner = place.files->open(path, {.access = Access::read_write, .lock = Lock::exclusive});
    REQUIRE(inner);
    file = std::make_shared<BusyFile>(*inner);
    OpenOptions options = place.options(Access::read_write);
    options.file_system = std::make_shared<test::SubstituteFileSystem>(place.files, path, file);
    auto opened = Disk::open(path, options);
    REQUIRE(opened);
    disk = std::make_unique<Disk>(*std::move(opened));
  }
  /// Nobody uses the file any more.
  void drop() {
    disk.reset();
    file.reset();
  }

  MemoryPlace place;
  std::filesystem::path path;
  std::shared_ptr<BusyFile> file;
  std::unique_ptr<Disk> disk;
};

}  // namespace

TEST_CASE("E-25: an exception of the caller's file is an error of the call") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    BusyDisk busy(extension);
    const auto data = filled(mib, 2);
    std::vector<std::byte> out(512);
    busy.file->before = [] { throw std::runtime_error("no such luck"); };
    const auto read = busy.disk->read(0, out);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::internal);
    CHECK(read.error().message == "unexpected exception: no such luck");
    busy.file->before = [] { throw 5; };
    CHECK(busy.disk->read(0, out).error().code == Errc::internal);
    busy.file->before = [] {};
    CHECK(busy.disk->read(0, out));

    busy.file->before = [] { throw std::bad_alloc(); };
    CHECK(busy.disk->write(2 * mib, data).error().code == Errc::no_memory);
    busy.file->before = [] {};
    // Nobody knows how far it came: reads go on, changes do not.
    CHECK(busy.disk->read(0, out));
    CHECK(out == filled(512, 1));
    CHECK(busy.disk->write(2 * mib, data).error().code == Errc::poisoned);
    CHECK(busy.disk->flush().error().code == Errc::poisoned);
    busy.drop();
    CHECK(busy.place.check(busy.path).clean());
    test::write_and_close(busy.place, busy.path, 2 * mib, data);
    CHECK(test::read(busy.place.open(busy.path), 0, 512) == filled(512, 1));
  }
}

TEST_CASE("E-25: a file that calls the disk which it serves gets an error, and nobody waits") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    BusyDisk busy(extension);
    std::vector<Errc> answers;
    busy.file->before = [&] {
      std::vector<std::byte> sector(512);
      const auto read = busy.disk->read(0, sector);
      const auto written = busy.disk->write(0, sector);
      const auto flushed = busy.disk->flush();
      const auto mapped = busy.disk->extent_at(0, 512);
      const auto closed = busy.disk->close();
      for (const Status& status : {read, written, flushed, closed}) {
        answers.push_back(status ? Errc::success : status.error().code);
      }
      answers.push_back(mapped ? Errc::success : mapped.error().code);
    };
    must(busy.disk->write(2 * mib, filled(mib, 2)));
    must(busy.disk->flush());
    std::vector<std::byte> out(512);
    must(busy.disk->read(2 * mib, out));
    CHECK(out == filled(512, 2));
    CHECK(answers.size() > 10);
    for (const Errc answer : answers) CHECK(answer == Errc::busy);
    busy.file->before = [] {};
    must(busy.disk->close());
  }
}

TEST_CASE("E-25: a disk may serve the file of another one") {
  BusyDisk lower("vhd");
  BusyDisk upper("vhdx");
  std::vector<std::byte> sector(512);
  int calls = 0;
  upper.file->before = [&] {
    ++calls;
    CHECK(lower.disk->read(0, sector));
  };
  CHECK(upper.disk->read(0, sector));
  CHECK(calls > 0);
}
