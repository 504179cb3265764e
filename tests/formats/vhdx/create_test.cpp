#include "formats/vhdx/create.h"

#include <doctest/doctest.h>

#include "formats/vhdx/bat_scan.h"
#include "formats/vhdx/check.h"
#include "formats/vhdx/layout.h"
#include "io/memory_file.h"
#include "support/counting_file.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

CreateSpec child_spec() {
  CreateSpec spec{.type = ImageType::differencing, .virtual_size = 0};
  spec.parent = ParentSpec{.format = "vhdx",
                           .content_id = *parse_guid("11111111-2222-3333-4444-555555555555"),
                           .disk_id = *parse_guid("99999999-2222-3333-4444-555555555555"),
                           .geometry = {10 * gib, 32 * mib, 4096, 4096},
                           .file_name = "base.vhdx",
                           .relative_path = ".\\base.vhdx",
                           .absolute_win32_path = ""};
  return spec;
}

Errc complete_error(CreateSpec spec) {
  const auto status = complete(spec);
  return status ? Errc::success : status.error().code;
}

}  // namespace

TEST_CASE("a new dynamic image is in Windows' layout and checks clean") {
  MemoryFile file;
  REQUIRE(create(file, {.type = ImageType::dynamic, .virtual_size = 64 * gib}).has_value());
  CHECK(*file.size() == 4 * mib);
  const auto layout = read_layout(file, {.access = Access::read_write});
  REQUIRE(layout.has_value());
  CHECK(layout->type() == ImageType::dynamic);
  CHECK(layout->creator.starts_with("libvdisk "));
  CHECK(layout->headers.current.log_offset == mib);
  CHECK(layout->headers.current.log_guid.is_zero());
  CHECK(layout->regions.metadata.offset == 2 * mib);
  CHECK(layout->regions.bat.offset == 3 * mib);
  CHECK(layout->regions.bat.required);
  CHECK(layout->metadata.block_size == 32 * mib);
  CHECK(layout->metadata.logical_sector_size == 512);
  CHECK(layout->metadata.physical_sector_size == 4096);
  CHECK(layout->metadata.virtual_disk_size == 64 * gib);
  CHECK_FALSE(layout->metadata.virtual_disk_id.is_zero());
  CHECK_FALSE(layout->headers.current.data_write_guid.is_zero());
  CHECK(layout->warnings.empty());
  CheckReport report;
  REQUIRE(check(file, report).has_value());
  CHECK(report.findings.empty());
}

TEST_CASE("creating a dynamic image of any size takes a few writes and leaves the BAT a hole") {
  CountingFile file(std::make_shared<MemoryFile>());
  REQUIRE(create(file, {.virtual_size = 64 * tib, .block_size = u32{mib}}).has_value());
  CHECK(*file.size() == 3 * mib + 513 * mib);
  CHECK(*file.allocated_size() < mib);
  CHECK(file.counts().writes == 6);
  CHECK(file.counts().changes() == 7);
  CHECK(file.counts().flushes == 0);
}

TEST_CASE("a fixed image has every block in place") {
  MemoryFile file;
  const u64 size = 5 * gib + 512;
  REQUIRE(create(file, {.type = ImageType::fixed, .virtual_size = size, .block_size = u32{mib}})
              .has_value());
  const auto layout = read_layout(file, {});
  REQUIRE(layout.has_value());
  CHECK(layout->type() == ImageType::fixed);
  u64 blocks = 0;
  REQUIRE(scan_bat(file, *layout, [&](u64 index, u64 raw) {
            const u64 block = layout->bat_layout.block_of_index(index);
            CHECK(raw == encode(PayloadState::fully_present, 4 * mib + block * mib));
            ++blocks;
            return Status();
          }).has_value());
  CHECK(blocks == 5 * 1024 + 1);
  CHECK(*file.size() == 4 * mib + blocks * mib);
  CheckReport report;
  REQUIRE(check(file, report).has_value());
  CHECK(report.findings.empty());
}

TEST_CASE("a child takes size, sectors and disk id from its parent") {
  MemoryFile file;
  REQUIRE(create(file, child_spec()).has_value());
  const auto layout = read_layout(file, {});
  REQUIRE(layout.has_value());
  CHECK(layout->type() == ImageType::differencing);
  CHECK(layout->metadata.block_size == 2 * mib);
  CHECK(layout->metadata.virtual_disk_size == 10 * gib);
  CHECK(layout->metadata.logical_sector_size == 4096);
  CHECK(to_string(layout->metadata.virtual_disk_id) == "99999999-2222-3333-4444-555555555555");
  CHECK_FALSE(layout->metadata.leave_blocks_allocated);
  const auto link = to_parent_link(*layout->metadata.locator);
  REQUIRE(link.accepted_ids.size() == 1);
  CHECK(to_string(link.accepted_ids[0]) == "11111111-2222-3333-4444-555555555555");
  REQUIRE(link.paths.size() == 1);
  CHECK(link.paths[0].kind == "relative_path");
  CHECK(link.paths[0].path == ".\\base.vhdx");
}

TEST_CASE("complete refuses what the format cannot hold") {
  CHECK(complete_error({.virtual_size = mib}) == Errc::success);
  CHECK(complete_error({.virtual_size = 64 * tib}) == Errc::success);
  CHECK(complete_error({.virtual_size = 0}) == Errc::invalid_argument);
  CHECK(complete_error({.virtual_size = 64 * tib + 512}) == Errc::invalid_argument);
  CHECK(complete_error({.virtual_size = mib + 1}) == Errc::invalid_argument);
  for (const u32 size : {0u, 1u, 512u * 1024, 3u << 20, 512u << 20}) {
    CHECK(complete_error({.virtual_size = gib, .block_size = size}) == Errc::invalid_argument);
  }
  for (const u32 size : {0u, 520u, 1024u, 8192u}) {
    CHECK(complete_error({.virtual_size = gib, .logical_sector_size = size}) ==
          Errc::invalid_argument);
  }
  CHECK(complete_error({.virtual_size = gib,
                        .logical_sector_size = u32{4096},
                        .physical_sector_size = u32{512}}) == Errc::invalid_argument);
  CHECK(complete_error({.type = ImageType::differencing, .virtual_size = gib}) ==
        Errc::invalid_argument);
  CHECK(complete_error(child_spec()) == Errc::success);
  auto smaller = child_spec();
  smaller.virtual_size = 10 * gib - 4096;
  CHECK(complete_error(smaller) == Errc::invalid_argument);
  auto other_format = child_spec();
  other_format.parent->format = "vhd";
  CHECK(complete_error(other_format) == Errc::invalid_argument);
  auto other_sectors = child_spec();
  other_sectors.logical_sector_size = 512;
  CHECK(complete_error(other_sectors) == Errc::invalid_argument);
  auto no_path = child_spec();
  no_path.parent->relative_path.clear();
  CHECK(complete_error(no_path) == Errc::invalid_argument);
}
