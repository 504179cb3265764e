/// Counts that follow from the design (PERFORMANCE section 4): flushes, writes, reads and bytes of
/// create, open, allocation and reading. Counts are regression tests; times are never asserted.
#include <doctest/doctest.h>

#include "support/scratch_folder.h"
#include "support/watched_filesystem.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::WatchedFileSystem;

namespace {

/// Images on the host's file system, because only that one knows allocated bytes.
struct Place {
  test::ScratchFolder folder;
  std::shared_ptr<WatchedFileSystem> files =
      std::make_shared<WatchedFileSystem>(host_file_system());

  OpenOptions options(Access access = Access::read_only) const {
    OpenOptions result;
    result.access = access;
    result.parents = ParentPolicy::beside;
    result.file_system = files;
    return result;
  }

  std::filesystem::path create(const std::string& name, u64 size,
                               std::optional<u32> block_size = {},
                               std::optional<u32> sector = {}) const {
    CreateOptions create_options;
    create_options.target.path = folder.path() / name;
    create_options.target.block_size = block_size;
    create_options.target.logical_sector_size = sector;
    create_options.target.replace = true;
    create_options.size = size;
    create_options.open = options();
    Progress progress;
    const auto made = vdisk::create(create_options, progress);
    REQUIRE_MESSAGE(made, made.error().message);
    return create_options.target.path;
  }

  Disk open(const std::filesystem::path& path, Access access = Access::read_only) const {
    auto disk = Disk::open(path, options(access));
    REQUIRE_MESSAGE(disk, disk.error().message);
    return *std::move(disk);
  }

  /// A child of `name` in the same folder.
  std::filesystem::path snapshot(const std::filesystem::path& parent,
                                 const std::string& name) const {
    CreateOptions create_options;
    create_options.target.path = folder.path() / name;
    create_options.parent = parent;
    create_options.open = options();
    Progress progress;
    const auto made = vdisk::create(create_options, progress);
    REQUIRE_MESSAGE(made, made.error().message);
    return create_options.target.path;
  }
};

constexpr u64 page = 4096;

std::vector<std::byte> some(u64 length) {
  return std::vector<std::byte>(length, std::byte{0x5a});
}

void write_block(Disk& disk, u64 offset) {
  const auto status = disk.write(offset, some(page));
  REQUIRE_MESSAGE(status, status.error().message);
}

void check(const Status& status) {
  REQUIRE_MESSAGE(status, status.error().message);
}

}  // namespace

TEST_CASE("counts: creating a VHDX of any size takes 2 flushes, 12 writes and 1.5 MiB") {
  const Place place;
  for (const u64 size : {3 * mib, gib, 64 * tib}) {
    for (const u64 block_size : {mib, 32 * mib, 256 * mib}) {
      for (const u32 sector : {512U, 4096U}) {
        CAPTURE(size);
        CAPTURE(block_size);
        CAPTURE(sector);
        place.files->reset();
        const auto path = place.create("a.vhdx", size, static_cast<u32>(block_size), sector);
        const auto counts = place.files->counts();
        CHECK(counts.flushes + place.files->directory_flushes() <= 2);
        CHECK(counts.writes + counts.zeroings + counts.copies <= 12);
        const auto file = host_file_system()->open(path, {});
        REQUIRE(file);
        CHECK((*file)->allocated_size().value_or(tib) <= 3 * mib / 2);
      }
    }
  }
}

TEST_CASE("counts: creating the largest dynamic VHD takes 2 flushes and few writes") {
  const Place place;
  place.create("a.vhd", 2040 * gib);
  const auto counts = place.files->counts();
  CHECK(counts.flushes + place.files->directory_flushes() <= 2);
  CHECK(counts.writes + counts.zeroings <= 24);
}

TEST_CASE("counts: converting a raw disk reads and writes each byte once and asks little else") {
  const Place place;
  constexpr u64 runs = 16;  // of a mebibyte each, holes between them
  const auto source = place.folder.path() / "a.raw";
  {
    const auto file = host_file_system()->create_beside(source);
    REQUIRE(file);
    for (u64 run = 0; run < runs; ++run) check((*file)->write_at(run * 4 * mib, some(mib)));
    check((*file)->resize(runs * 4 * mib));
    check(host_file_system()->publish(**file, source, false));
  }
  for (const std::string name : {"a.vhdx", "a.vhd"}) {
    CAPTURE(name);
    place.files->reset();
    ConvertOptions convert_options;
    convert_options.source = source;
    convert_options.target.path = place.folder.path() / name;
    convert_options.open = place.options();
    Progress progress;
    REQUIRE(vdisk::convert(convert_options, progress));
    const auto counts = place.files->counts();
    CHECK(counts.read_bytes <= runs * mib + 256 * kib);
    CHECK(counts.written_bytes <= runs * mib + 2 * mib);
    CHECK(counts.reads <= runs * 2 + 32);
    CHECK(counts.writes <= runs * 5 + 24);
    CHECK(counts.hole_queries <= runs * 2 + 8);
    CHECK(counts.flushes + place.files->directory_flushes() <= 2);
  }
}

TEST_CASE("counts: opening 64 TiB of 1 MiB blocks takes 20 reads of 256 KiB together") {
  const Place place;
  for (const u32 sector : {512U, 4096U}) {
    const auto path = place.create("a.vhdx", 64 * tib, static_cast<u32>(mib), sector);
    place.files->reset();
    const auto disk = place.open(path);
    CHECK(disk.size() == 64 * tib);
    CHECK(disk.layer(0));
    const auto counts = place.files->counts();
    CHECK(counts.reads <= 20);
    CHECK(counts.read_bytes <= 256 * kib);
    CHECK(counts.changes() + counts.flushes == 0);
  }
}

TEST_CASE("counts: opening the largest VHD does not read its table") {
  const Place place;
  const auto path = place.create("a.vhd", 2040 * gib);
  place.files->reset();
  const auto disk = place.open(path);
  CHECK(disk.layer(0));
  const auto counts = place.files->counts();
  CHECK(counts.reads <= 20);
  CHECK(counts.read_bytes <= 256 * kib);
  CHECK(counts.changes() + counts.flushes == 0);
}

TEST_CASE("counts: write-back allocation of a VHDX flushes nothing and writes the data alone") {
  constexpr u64 blocks = 200;
  const Place place;
  const u64 block_size = 2 * mib;
  const auto path = place.create("a.vhdx", 2 * blocks * block_size, static_cast<u32>(block_size));
  auto disk = place.open(path, Access::read_write);
  write_block(disk, 0);  // the first change of a session marks the image as in use
  place.files->reset();
  for (u64 block = 1; block <= blocks; ++block) write_block(disk, block * block_size);
  const auto counts = place.files->counts();
  CHECK(counts.flushes == 0);
  CHECK(counts.writes + counts.zeroings <= blocks * 11 / 10);
  check(disk.flush());
  CHECK(place.files->counts().flushes <= 3);
  check(disk.close());
}

TEST_CASE("counts: write-back allocation of a VHD flushes only where the file grows, in steps") {
  constexpr u64 blocks = 200;
  constexpr u64 steps = blocks / 32;
  const Place place;
  const u64 block_size = 2 * mib;
  const auto path = place.create("a.vhd", 2 * blocks * block_size, static_cast<u32>(block_size));
  auto disk = place.open(path, Access::read_write);
  write_block(disk, 0);
  place.files->reset();
  for (u64 block = 1; block <= blocks; ++block) write_block(disk, block * block_size);
  const auto counts = place.files->counts();
  CHECK(counts.flushes <= steps);
  CHECK(counts.writes + counts.zeroings <= 2 * blocks + 4 * steps);  // data and bitmap
  check(disk.flush());
  CHECK(place.files->counts().flushes <= steps + 2);
  check(disk.close());
}

TEST_CASE("counts: write-back allocation in a child flushes as little") {
  constexpr u64 blocks = 100;
  const Place place;
  for (const std::string extension : {"vhdx", "vhd"}) {
    CAPTURE(extension);
    const auto base = place.create("base." + extension, gib);
    const auto path = place.snapshot(base, "child." + extension);
    auto disk = place.open(path, Access::read_write);
    const u64 block_size = disk.geometry().block_size;
    write_block(disk, 0);
    place.files->reset();
    for (u64 block = 1; block <= blocks; ++block) write_block(disk, block * block_size);
    CHECK(place.files->counts().flushes <= (extension == "vhdx" ? 0 : blocks / 32));
    check(disk.close());
  }
}

TEST_CASE("counts: 18 allocating writes with 6 guest flushes, open and close included") {
  const Place place;
  struct Limit {
    std::string name;
    u64 flushes;
  };
  for (const auto& [name, limit] : {Limit{"a.vhdx", 15}, Limit{"a.vhd", 18}}) {
    CAPTURE(name);
    const u64 block_size = 2 * mib;
    const auto path = place.create(name, gib, static_cast<u32>(block_size));
    place.files->reset();
    auto disk = place.open(path, Access::read_write);
    for (u64 block = 0; block < 18; ++block) {
      write_block(disk, block * block_size);
      if (block % 3 == 2) check(disk.flush());
    }
    check(disk.close());
    CHECK(place.files->counts().flushes <= limit);
    CHECK(place.files->counts().flushes >= 6);
  }
}

TEST_CASE("counts: a guest flush after every allocating write costs 2 flushes and 4 writes") {
  constexpr u64 blocks = 64;
  const Place place;
  for (const std::string name : {"a.vhdx", "a.vhd"}) {
    CAPTURE(name);
    const auto path = place.create(name, gib, static_cast<u32>(2 * mib));
    auto disk = place.open(path, Access::read_write);
    write_block(disk, 0);
    check(disk.flush());
    place.files->reset();
    for (u64 block = 1; block <= blocks; ++block) {
      write_block(disk, block * 2 * mib);
      check(disk.flush());
    }
    const auto counts = place.files->counts();
    CHECK(counts.flushes <= 2 * blocks + 2);  // a VHD grows in steps
    CHECK(counts.writes + counts.zeroings <= 4 * blocks);
    check(disk.close());
  }
}

TEST_CASE("counts: overwriting allocated blocks costs the data and one flush") {
  const Place place;
  for (const std::string name : {"a.vhdx", "a.vhd"}) {
    CAPTURE(name);
    const auto path = place.create(name, gib, static_cast<u32>(2 * mib));
    auto disk = place.open(path, Access::read_write);
    for (u64 block = 0; block < 8; ++block) write_block(disk, block * 2 * mib);
    check(disk.flush());
    place.files->reset();
    for (u64 round = 0; round < 100; ++round) write_block(disk, round % 8 * 2 * mib);
    auto counts = place.files->counts();
    CHECK(counts.flushes == 0);
    CHECK(counts.writes == 100);
    check(disk.flush());
    counts = place.files->counts();
    CHECK(counts.flushes == 1);
    check(disk.close());
  }
}

TEST_CASE("counts: no read path flushes or writes") {
  const Place place;
  for (const std::string extension : {"vhdx", "vhd"}) {
    CAPTURE(extension);
    const auto base = place.create("base." + extension, 64 * mib);
    const auto path = place.snapshot(base, "child." + extension);
    {
      auto disk = place.open(path, Access::read_write);
      write_block(disk, 3 * mib);
      check(disk.flush());  // no close: the log of a VHDX stays dirty
    }
    place.files->reset();
    {
      const auto disk = place.open(path);
      std::vector<std::byte> data(mib);
      for (u64 offset = 0; offset < 8 * mib; offset += mib) check(disk.read(offset, data));
      CHECK(disk.extent_at(0, 64 * mib));
      CHECK(disk.layer(0));
      CHECK(disk.layer(1));
      CHECK(disk.count_blocks());
    }
    Progress progress;
    CHECK(vdisk::hash({.path = path, .algorithm = {}, .open = place.options()}, progress));
    CompareOptions compare_options;
    compare_options.a = path;
    compare_options.b = base;
    compare_options.open = place.options();
    CHECK(vdisk::compare(compare_options, progress));
    CHECK(vdisk::check({.path = path, .chain = true, .open = place.options()}, progress));
    CHECK(vdisk::dump(path, place.options(), [](const Structure&) { return Status(); }));
    const auto counts = place.files->counts();
    CHECK(counts.flushes + place.files->directory_flushes() == 0);
    CHECK(counts.changes() == 0);
    CHECK(counts.reads > 0);
  }
}

TEST_CASE("counts: reading one block of a 64 TiB disk reads that block and a page of the map") {
  const Place place;
  const auto path = place.create("a.vhdx", 64 * tib, static_cast<u32>(mib));
  const auto disk = place.open(path);
  place.files->reset();
  std::vector<std::byte> data(page);
  check(disk.read(64 * tib - page, data));
  CHECK(place.files->counts().reads <= 2);
  CHECK(place.files->counts().read_bytes <= 64 * kib);
}

TEST_CASE("counts: expanding to the largest size moves no data") {
  const Place place;
  const auto path = place.create("a.vhdx", gib, static_cast<u32>(mib));
  place.files->reset();
  ExpandOptions expand_options;
  expand_options.path = path;
  expand_options.size = 64 * tib;
  expand_options.open = place.options(Access::read_write);
  Progress progress;
  const auto resized = vdisk::expand(expand_options, progress);
  REQUIRE_MESSAGE(resized, resized.error().message);
  const auto counts = place.files->counts();
  CHECK(counts.written_bytes + counts.copied_bytes <= 4 * mib);
  CHECK(counts.flushes <= 12);
}

TEST_CASE("counts: compact flushes a few times whatever it moves, and moves each block once") {
  constexpr u64 blocks = 128;
  const Place place;
  for (const std::string extension : {"vhdx", "vhd"}) {
    for (const bool child : {false, true}) {
      CAPTURE(extension);
      CAPTURE(child);
      const u64 block_size = extension == "vhd" ? 512 * kib : mib;
      auto path = place.create("a." + extension, blocks * block_size, static_cast<u32>(block_size));
      if (child) path = place.snapshot(path, "child." + extension);
      {
        auto disk = place.open(path, Access::read_write);
        const u64 stored = disk.geometry().block_size;
        for (u64 at = blocks * block_size; at > 0; at -= stored) {
          check(disk.write(at - stored, some(stored)));
        }
        check(disk.zero(blocks * block_size / 2, blocks * block_size / 2));
        check(disk.write(0, std::vector<std::byte>(stored)));
        check(disk.close());
      }
      place.files->reset();
      CompactOptions compact_options;
      compact_options.path = path;
      compact_options.open = place.options(Access::read_write);
      Progress progress;
      const auto compacted = vdisk::compact(compact_options, progress);
      REQUIRE_MESSAGE(compacted, compacted.error().message);
      CHECK(compacted->moved_blocks > 0);
      const auto counts = place.files->counts();
      CHECK(counts.copies == compacted->moved_blocks);
      CHECK(counts.flushes <= 20);
      CHECK(counts.written_bytes <= 512 * kib);
      MESSAGE("moved ", compacted->moved_blocks, " blocks with ", counts.flushes, " flushes");
    }
  }
}

TEST_CASE("counts: an estimate changes nothing and reads the beginning of blocks that hold data") {
  const Place place;
  for (const std::string name : {"a.vhdx", "a.vhd"}) {
    CAPTURE(name);
    const auto path = place.create(name, gib, static_cast<u32>(2 * mib));
    {
      auto disk = place.open(path, Access::read_write);
      for (u64 block = 0; block < 100; ++block) write_block(disk, block * 2 * mib);
      check(disk.close());
    }
    place.files->reset();
    CompactOptions compact_options;
    compact_options.path = path;
    compact_options.estimate = true;
    compact_options.open = place.options();
    Progress progress;
    CHECK(vdisk::compact(compact_options, progress));
    const auto counts = place.files->counts();
    CHECK(counts.changes() + counts.flushes == 0);
    CHECK(counts.read_bytes <= 100 * page + mib);
  }
}
