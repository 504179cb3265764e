#include "formats/raw/raw.h"

#include <array>

#include <doctest/doctest.h>

#include "base/checksum.h"
#include "io/memory_file.h"
#include "support/counting_file.h"

using namespace vdisk;

namespace {

std::vector<std::byte> filled(std::size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

std::unique_ptr<Image> open_raw(std::shared_ptr<File> file, Access access = Access::read_only) {
  auto image = raw::format.open(std::move(file), {.access = access});
  REQUIRE(image);
  return *std::move(image);
}

Extent extent(const Image& image, u64 offset, u64 limit) {
  const auto found = image.extent_at(offset, limit);
  REQUIRE(found);
  return *found;
}

}  // namespace

TEST_CASE("raw: the file is the disk") {
  const auto image = open_raw(MemoryFile::with_content(filled(64 * kib, 1)));
  CHECK(image->geometry().virtual_size == 64 * kib);
  CHECK(image->geometry().logical_sector_size == 512);
  CHECK(image->info().format == "raw");
  CHECK(image->info().type == ImageType::fixed);
  CHECK(extent(*image, 1000, 5000) == Extent{1000, 5000, State::data, 1000});
  CHECK(extent(*image, 65000, 5000) == Extent{65000, 536, State::data, 65000});
}

TEST_CASE("raw: holes of the host file are zero extents") {
  constexpr u64 page = 64 * kib;
  const auto file = std::make_shared<MemoryFile>();
  REQUIRE(file->resize(8 * page));
  REQUIRE(file->write_at(2 * page, filled(page, 1)));
  const auto image = open_raw(file);
  CHECK(extent(*image, 0, tib) == Extent{0, 2 * page, State::zero, 0});
  CHECK(extent(*image, 512, page) == Extent{512, page, State::zero, 0});
  CHECK(extent(*image, 2 * page, tib) == Extent{2 * page, page, State::data, 2 * page});
  CHECK(extent(*image, 3 * page, tib) == Extent{3 * page, 5 * page, State::zero, 0});
}

TEST_CASE("raw: a sparse file of terabytes is mapped with one query for each run") {
  const auto memory = std::make_shared<MemoryFile>();
  REQUIRE(memory->resize(64 * tib));
  REQUIRE(memory->write_at(10 * tib, filled(4096, 1)));
  const auto file = std::make_shared<test::CountingFile>(memory);
  const auto image = open_raw(file);
  u64 runs = 0;
  for (u64 offset = 0; offset < 64 * tib; ++runs) {
    const Extent run = extent(*image, offset, 64 * tib);
    CHECK(run.offset == offset);
    offset += run.length;
  }
  CHECK(runs == 3);
  CHECK(file->counts().hole_queries == 3);
  CHECK(file->counts().reads == 0);
}

TEST_CASE("raw: a run of data is asked for once") {
  const auto file =
      std::make_shared<test::CountingFile>(MemoryFile::with_content(filled(256 * kib, 1)));
  const auto image = open_raw(file);
  for (const u64 offset : {0u, 4096u, 200000u, 512u}) {
    CHECK(extent(*image, offset, 4096).state == State::data);
  }
  CHECK(file->counts().hole_queries == 1);
}

TEST_CASE("raw: a size that is not whole sectors is rounded up, the rest reads as zeros") {
  const auto file = MemoryFile::with_content(filled(1000, 7));
  const auto image = open_raw(file, Access::read_write);
  CHECK(image->geometry().virtual_size == 1024);
  CHECK(extent(*image, 512, 4096) == Extent{512, 488, State::data, 512});
  CHECK(extent(*image, 1000, 4096) == Extent{1000, 24, State::zero, 0});
  CHECK(file->size() == 1000u);

  const auto place = image->reserve(512, 512);
  REQUIRE(place);
  CHECK(*place == Extent{512, 512, State::data, 512});
  CHECK(file->size() == 1024u);
  CHECK(extent(*image, 1000, 4096) == Extent{1000, 24, State::data, 1000});
  std::array<std::byte, 24> tail;
  REQUIRE(file->read_at(1000, tail));
  CHECK(is_zero(tail));
}

TEST_CASE("raw: a file that ends inside a sector is told of, until a write there fills it") {
  const auto file = MemoryFile::with_content(filled(1000, 7));
  CheckReport report;
  REQUIRE(raw::format.check(*file, report));
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].id == "file_size");
  CHECK(report.findings[0].offset == 1000);
  CHECK(report.clean());
  const auto image = open_raw(file, Access::read_write);
  REQUIRE(image->info().warnings.size() == 1);
  CHECK(image->info().warnings[0].message.find("24 zeros") != std::string::npos);
  REQUIRE(image->reserve(512, 512));
  CHECK(image->info().warnings.empty());
}

TEST_CASE("raw: writing, discarding and growing need write access") {
  const auto file = MemoryFile::with_content(filled(1024, 7));
  const auto image = open_raw(file);
  CHECK(image->reserve(0, 512).error().code == Errc::write_protected);
  CHECK(image->discard(0, 512, State::zero).error().code == Errc::write_protected);
  CHECK(image->expand(2048).error().code == Errc::write_protected);
  CHECK(file->content() == filled(1024, 7));
}

TEST_CASE("raw: a discarded range reads as zeros and the disk keeps its size") {
  for (const State to : {State::zero, State::absent}) {
    const auto file = MemoryFile::with_content(filled(256 * kib, 7));
    const auto image = open_raw(file, Access::read_write);
    CHECK(extent(*image, 0, tib).length == 256 * kib);
    CHECK(image->discard(64 * kib, 128 * kib, to) == 128 * kib);
    std::vector<std::byte> bytes(256 * kib);
    REQUIRE(file->read_at(0, bytes));
    CHECK(is_zero(std::span(bytes).subspan(64 * kib, 128 * kib)));
    CHECK(std::span(bytes).front() == std::byte{7});
    CHECK(bytes[192 * kib] == std::byte{7});
    CHECK(file->size() == 256 * kib);
  }
}

TEST_CASE("raw: expand makes the file larger, durably, and never smaller") {
  const auto file = std::make_shared<test::CountingFile>(MemoryFile::with_content(filled(1000, 7)));
  const auto image = open_raw(file, Access::read_write);
  CHECK(image->expand(512).error().code == Errc::invalid_argument);
  CHECK(image->expand(1025).error().code == Errc::invalid_argument);
  REQUIRE(image->expand(1 * mib));
  CHECK(image->geometry().virtual_size == 1 * mib);
  CHECK(file->size() == 1 * mib);
  CHECK(file->counts().flushes == 1);
}

TEST_CASE("raw: close flushes only what was changed") {
  const auto file = std::make_shared<test::CountingFile>(MemoryFile::with_content(filled(512, 7)));
  REQUIRE(open_raw(file, Access::read_write)->close());
  CHECK(file->counts().flushes == 0);
  const auto image = open_raw(file, Access::read_write);
  REQUIRE(image->reserve(0, 512));
  REQUIRE(image->close());
  CHECK(file->counts().flushes == 1);
}

TEST_CASE("raw: create makes a hole of the size asked for") {
  CreateSpec spec;
  spec.virtual_size = 64 * tib;
  REQUIRE(raw::format.complete(spec));
  CHECK(spec.type == ImageType::fixed);
  MemoryFile file;
  REQUIRE(raw::format.create(file, spec));
  CHECK(file.size() == 64 * tib);
  CHECK(file.allocated_size() == 0u);
}

TEST_CASE("raw: create refuses what a raw disk cannot hold") {
  const auto refusal = [](const CreateSpec& wanted) {
    CreateSpec spec = wanted;
    const auto status = raw::format.complete(spec);
    return status ? Errc::success : status.error().code;
  };
  CHECK(refusal({.virtual_size = 512}) == Errc::success);
  CHECK(refusal({.virtual_size = 0}) == Errc::invalid_argument);
  CHECK(refusal({.virtual_size = 513}) == Errc::invalid_argument);
  CHECK(refusal({.virtual_size = u64{1} << 63}) == Errc::invalid_argument);
  CHECK(refusal({.virtual_size = 512, .block_size = 4096}) == Errc::invalid_argument);
  CHECK(refusal({.virtual_size = 512, .logical_sector_size = 520}) == Errc::invalid_argument);
  CHECK(refusal({.type = ImageType::differencing, .virtual_size = 512}) == Errc::invalid_argument);
  CHECK(refusal({.virtual_size = 512, .parent = ParentSpec{}}) == Errc::invalid_argument);
}

TEST_CASE("raw: check finds nothing, dump shows the size") {
  const auto file = MemoryFile::with_content(filled(512, 7));
  CheckReport report;
  REQUIRE(raw::format.check(*file, report));
  CHECK(report.clean());
  std::vector<Structure> structures;
  REQUIRE(raw::format.dump(*file, [&](const Structure& structure) {
    structures.push_back(structure);
    return Status();
  }));
  REQUIRE(structures.size() == 1);
  CHECK(structures[0].fields.at(0).value == "512 bytes");
}
