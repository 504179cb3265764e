#include "io/memory_file.h"

#include <algorithm>
#include <array>

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/checksum.h"

using namespace vdisk;

namespace {

std::vector<std::byte> filled(std::size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

std::vector<std::byte> read(const File& file, u64 offset, u64 length) {
  std::vector<std::byte> out(length, std::byte{0xEE});
  REQUIRE(file.read_at(offset, out));
  return out;
}

}  // namespace

TEST_CASE("memory file: what was written is read back across page borders") {
  MemoryFile file;
  std::vector<std::byte> data(200000);
  for (std::size_t n = 0; n < data.size(); ++n) data[n] = static_cast<std::byte>(n * 7 + n / 251);
  REQUIRE(file.write_at(65000, data));
  CHECK(file.size() == 265000u);
  CHECK(read(file, 65000, data.size()) == data);
  CHECK(is_zero(read(file, 0, 65000)));
  const auto middle = read(file, 65500, 100);
  CHECK(std::equal(middle.begin(), middle.end(), data.begin() + 500));
}

TEST_CASE("memory file: reading past the end fails and names file, place and size") {
  const auto file = MemoryFile::with_content(filled(100, 1), "disk.vhd");
  std::array<std::byte, 8> out{};
  const auto status = file->read_at(96, out);
  REQUIRE_FALSE(status);
  CHECK(status.error().code == Errc::end_of_file);
  CHECK(status.error().offset == 96u);
  CHECK(status.error().message == "disk.vhd: read of 8 bytes at 0x60: the file ends at 0x64");
  CHECK(file->read_at(100, {}));
  CHECK(file->read_at(~u64{0}, out).error().code == Errc::end_of_file);
}

TEST_CASE("memory file: a file of 64 TiB takes the memory of what was written") {
  MemoryFile file;
  REQUIRE(file.resize(64 * tib));
  REQUIRE(file.write_at(64 * tib - 512, filled(512, 5)));
  REQUIRE(file.write_at(10 * tib, filled(1, 6)));
  CHECK(file.size() == 64 * tib);
  CHECK(file.allocated_size() == 2 * 4 * kib);
  CHECK(read(file, 64 * tib - 512, 512) == filled(512, 5));
  REQUIRE(file.zero_at(0, 64 * tib));
  CHECK(file.allocated_size() == 0u);
  CHECK(file.size() == 64 * tib);
}

TEST_CASE("memory file: zeroing extends, punching does not") {
  const auto file = MemoryFile::with_content(filled(1000, 9));
  REQUIRE(file->punch_at(990, 5000));
  CHECK(file->size() == 1000u);
  CHECK(read(*file, 980, 10) == filled(10, 9));
  CHECK(is_zero(read(*file, 990, 10)));
  REQUIRE(file->punch_at(5000, 10));
  CHECK(file->size() == 1000u);
  REQUIRE(file->zero_at(10, 5000));
  CHECK(file->size() == 5010u);
  CHECK(read(*file, 0, 10) == filled(10, 9));
  CHECK(is_zero(read(*file, 10, 5000)));
}

TEST_CASE("memory file: zeroing of every alignment leaves the neighbours alone") {
  constexpr u64 page = 64 * kib;
  for (const u64 offset : {u64{0}, page - 1, page, page + 1, 2 * page - 1}) {
    for (const u64 length : {u64{0}, u64{1}, page - 1, page, page + 1, 2 * page}) {
      CAPTURE(offset);
      CAPTURE(length);
      const auto file = MemoryFile::with_content(filled(5 * page, 3));
      REQUIRE(file->zero_at(offset, length));
      const auto bytes = file->content();
      const auto inside = std::span(bytes).subspan(offset, length);
      CHECK(is_zero(inside));
      const auto nonzero = std::count(bytes.begin(), bytes.end(), std::byte{3});
      CHECK(static_cast<u64>(nonzero) == 5 * page - length);
    }
  }
}

TEST_CASE("memory file: bytes cut off by resize are zeros when it grows again") {
  const auto file = MemoryFile::with_content(filled(70000, 4));
  REQUIRE(file->resize(100));
  REQUIRE(file->resize(70000));
  CHECK(read(*file, 0, 100) == filled(100, 4));
  CHECK(is_zero(read(*file, 100, 69900)));
}

TEST_CASE("memory file: writing beyond the largest file offset is refused") {
  MemoryFile file;
  CHECK(file.write_at(~u64{0} - 3, filled(8, 1)).error().code == Errc::file_system_limit);
  CHECK(file.write_at((u64{1} << 63) - 4, filled(8, 1)).error().code == Errc::file_system_limit);
  CHECK(file.zero_at(8, ~u64{0}).error().code == Errc::file_system_limit);
  CHECK(file.resize(u64{1} << 63).error().code == Errc::file_system_limit);
  CHECK(file.size() == 0u);
}

TEST_CASE("memory file: holes are the ranges without pages") {
  constexpr u64 page = 64 * kib;
  MemoryFile file;
  REQUIRE(file.resize(10 * page));
  REQUIRE(file.write_at(2 * page, filled(2 * page, 1)));
  const auto hole = [&](u64 offset) {
    const auto found = file.next_hole(offset);
    REQUIRE(found);
    return std::pair(found->offset, found->length);
  };
  CHECK(hole(0) == std::pair(u64{0}, 2 * page));
  CHECK(hole(100) == std::pair(u64{100}, 2 * page - 100));
  CHECK(hole(2 * page) == std::pair(4 * page, 6 * page));
  CHECK(hole(3 * page + 1) == std::pair(4 * page, 6 * page));
  CHECK(hole(10 * page) == std::pair(10 * page, u64{0}));
  REQUIRE(file.write_at(9 * page, filled(page, 1)));
  CHECK(hole(9 * page + 5) == std::pair(10 * page, u64{0}));
}

TEST_CASE("memory file: a clone does not follow its original") {
  const auto file = MemoryFile::with_content(filled(1000, 1));
  file->set_modified_time(77);
  const auto copy = file->clone();
  REQUIRE(file->write_at(0, filled(1000, 2)));
  REQUIRE(copy->resize(500));
  CHECK(copy->content() == filled(500, 1));
  CHECK(copy->modified_time() == i64{77});
  CHECK(file->content() == filled(1000, 2));
  CHECK(*file->identity() != *copy->identity());
}

TEST_CASE("memory file: copies a range of another file") {
  const auto source = MemoryFile::with_content(filled(300000, 8));
  MemoryFile target;
  REQUIRE(target.copy_from(*source, 1000, 50, 290000));
  CHECK(target.size() == 290050u);
  CHECK(is_zero(read(target, 0, 50)));
  CHECK(read(target, 50, 290000) == filled(290000, 8));
  CHECK(target.copy_from(*source, 299000, 0, 2000).error().code == Errc::end_of_file);
}
