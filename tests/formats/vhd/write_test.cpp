/// Writing: allocation, bitmaps, discard, reuse of space, counts of flushes, and random sequences
/// against a flat model.
#include <random>

#include "image_access.h"
#include "support/counting_file.h"
#include "support/fault_file.h"
#include "support/forwarding_file.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 table_at = VhdBuilder::table_offset;

std::shared_ptr<MemoryFile> created(ImageType type, u64 size, u32 block_size = 2 * mib) {
  CreateSpec spec;
  spec.type = type;
  spec.virtual_size = size;
  if (type != ImageType::fixed) spec.block_size = block_size;
  if (type == ImageType::differencing) {
    spec.parent = ParentSpec{};
    spec.parent->format = "vhd";
    spec.parent->content_id.bytes[3] = 1;
    spec.parent->file_name = "base.vhd";
    spec.parent->relative_path = ".\\base.vhd";
  }
  REQUIRE(vhd::format.complete(spec).has_value());
  auto file = std::make_shared<MemoryFile>();
  REQUIRE(vhd::format.create(*file, spec).has_value());
  return file;
}

VhdBuilder tiny(u32 disk_type, u64 blocks, u32 block_size = 4096) {
  VhdBuilder builder;
  builder.footer.disk_type = disk_type;
  builder.block_size = block_size;
  builder.footer.current_size = blocks * block_size;
  if (disk_type == 4) {
    builder.parent_unique_id[0] = 1;
    builder.parent_name = utf16be("base.vhd");
  }
  return builder;
}

u64 size_of(const File& file) {
  return *file.size();
}

bool clean(const MemoryFile& file) {
  CheckReport report;
  REQUIRE(vhd::format.check(file, report).has_value());
  for (const Finding& finding : report.findings) {
    if (finding.severity != Severity::info) MESSAGE(finding.id << ": " << finding.message);
  }
  return report.clean();
}

}  // namespace

TEST_CASE("dynamic: a write allocates a block that reads as zeros around it") {
  const auto file = created(ImageType::dynamic, 9 * mib);
  Bytes model(9 * mib);
  {
    const auto image = open_sound(file, Access::read_write);
    const Bytes data = pattern(0, 1024, 1);
    REQUIRE(write_image(*image, 3 * mib + 512, data).has_value());
    std::ranges::copy(data, model.begin() + 3 * mib + 512);
    CHECK(read_all(*image) == model);
    REQUIRE(image->close().has_value());
  }
  CHECK(read_all(*open_sound(file)) == model);
  CHECK(clean(*file));
}

TEST_CASE("dynamic: what was reserved is not visible before commit") {
  const auto image = open_sound(created(ImageType::dynamic, 9 * mib), Access::read_write);
  const auto first = image->reserve(0, 512);
  const auto second = image->reserve(1024, 512);
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  CHECK(second->file_offset == first->file_offset + 1024);  // one block, pending
  CHECK(image->extent_at(0, 512)->state == State::absent);
  REQUIRE(image->commit(*second).has_value());
  CHECK(image->extent_at(0, 2 * mib)->length == 2 * mib);
  CHECK(image->extent_at(0, 512)->state == State::data);
}

TEST_CASE("dynamic: data of new blocks lie at multiples of 4 KiB, bitmaps are full") {
  const auto file = created(ImageType::dynamic, 64 * mib, 512 * kib);
  const auto image = open_sound(file, Access::read_write);
  for (const u64 block : {u64{5}, u64{0}, u64{127}}) {
    const auto extent = image->reserve(block * 512 * kib, 512);
    REQUIRE(extent.has_value());
    CHECK(extent->file_offset % 4096 == 0);
    REQUIRE(image->commit(*extent).has_value());
  }
  REQUIRE(image->close().has_value());
  const Bytes bytes = file->content();
  const u64 place = u64{get_u32(bytes, table_at + 5 * 4)} * 512;
  for (u64 n = 0; n < 128; ++n) CHECK(bytes[place + n] == std::byte{0xFF});
}

TEST_CASE("dynamic: writing below clear bits sets them") {
  VhdBuilder builder = tiny(3, 4);
  builder.blocks[1].bitmap = Bytes(512);
  const auto file = memory_file(builder.build());
  const auto image = open_sound(file, Access::read_write);
  REQUIRE(write_image(*image, 4096 + 512, pattern(0, 1024, 1)).has_value());
  REQUIRE(image->close().has_value());
  CHECK(file->content()[builder.place_of(1)] == std::byte{0x60});
  CHECK(clean(*file));
}

TEST_CASE("differencing: a partial write leaves every other sector to the parent") {
  const auto file = created(ImageType::differencing, 6 * mib);
  const Bytes base = pattern(0, 6 * mib, 77);
  Bytes model = base;
  for (int round = 0; round < 2; ++round) {
    const auto image = open_sound(file, Access::read_write);
    const u64 at = 2 * mib - 512 + static_cast<u64>(round) * 8 * kib;
    const Bytes data = pattern(at, 1536, 1);
    REQUIRE(write_image(*image, at, data).has_value());
    std::ranges::copy(data, model.begin() + static_cast<std::ptrdiff_t>(at));
    CHECK(read_all(*image, base) == model);
    REQUIRE(image->close().has_value());
    CHECK(read_all(*open_sound(file), base) == model);
  }
  CHECK(clean(*file));
}

TEST_CASE("18 allocating writes with 6 guest flushes take at most 18 flushes") {
  const auto file = created(ImageType::dynamic, 64 * mib);
  const auto counting = std::make_shared<CountingFile>(file);
  const auto image = open_sound(counting, Access::read_write);
  for (u64 block = 0; block < 18; ++block) {
    REQUIRE(write_image(*image, block * 2 * mib, pattern(0, 4096, block + 1)).has_value());
    if (block % 3 == 2) REQUIRE(image->flush().has_value());
  }
  REQUIRE(image->close().has_value());
  MESSAGE("flushes: " << counting->counts().flushes << ", writes: " << counting->counts().writes);
  CHECK(counting->counts().flushes <= 18);
  CHECK(clean(*file));
  CHECK(size_of(*file) < 18 * (2 * mib + 4096) + 16 * kib);  // the spare room was cut off
}

TEST_CASE("allocation without guest flushes costs none, but for growing the file") {
  const auto counting =
      std::make_shared<CountingFile>(created(ImageType::dynamic, 64 * mib, 512 * kib));
  const auto image = open_sound(counting, Access::read_write);
  for (u64 block = 0; block < 100; ++block) {
    REQUIRE(write_image(*image, block * 512 * kib, pattern(0, 4096, 1)).has_value());
  }
  CHECK(counting->counts().flushes == 1);
}

TEST_CASE("a thousand new blocks grow the file ten times, not once for each 64 MiB") {
  const auto counting = std::make_shared<CountingFile>(created(ImageType::dynamic, 2 * gib));
  const auto image = open_sound(counting, Access::read_write);
  for (u64 block = 0; block < 1000; ++block) {
    REQUIRE(write_image(*image, block * 2 * mib, pattern(0, 4096, 1)).has_value());
  }
  CHECK(counting->counts().flushes <= 10);
}

TEST_CASE("reading flushes and writes nothing") {
  for (const Access access : {Access::read_only, Access::read_write}) {
    const auto counting = std::make_shared<CountingFile>(memory_file(small_dynamic().build()));
    const auto image = open_sound(counting, access);
    (void)read_all(*image);
    CHECK(counting->counts().flushes == 0);
    CHECK(counting->counts().changes() == 0);
    CHECK(counting->counts().reads < 40);
  }
}

TEST_CASE("opening a disk of 2040 GiB reads little and writes nothing") {
  const auto counting = std::make_shared<CountingFile>(created(ImageType::dynamic, 2040 * gib));
  const auto image = open_sound(counting);
  CHECK(counting->counts().reads <= 20);
  CHECK(counting->counts().read_bytes <= 8 * kib);
  CHECK(*image->extent_at(0, 2040 * gib) == Extent{0, 2040 * gib, State::absent, 0});
}

TEST_CASE("a read-only image refuses every change") {
  for (const Bytes& bytes : {small_dynamic().build(), make_fixed_vhd(pattern(0, 4096, 1))}) {
    const auto image = open_sound(memory_file(bytes));
    CHECK(image->reserve(0, 512).error().code == Errc::write_protected);
    CHECK(image->expand(64 * mib).error().code == Errc::write_protected);
    CHECK(image->flush().has_value());
    CHECK(image->close().has_value());
  }
}

TEST_CASE("ranges that are not whole sectors inside the disk are refused") {
  const auto image = open_sound(memory_file(small_dynamic().build()), Access::read_write);
  const u64 size = image->geometry().virtual_size;
  CHECK(image->reserve(1, 512).error().code == Errc::invalid_argument);
  CHECK(image->reserve(0, 100).error().code == Errc::invalid_argument);
  CHECK(image->reserve(size, 512).error().code == Errc::invalid_argument);
  CHECK(image->discard(0, size + 512, State::zero).error().code == Errc::invalid_argument);
  CHECK(image->commit({0, 512, State::data, 0}).error().code == Errc::invalid_argument);
  CHECK(image->extent_at(size, 1).error().code == Errc::end_of_file);
  CHECK(image->reserve(size - 512, 4096)->length == 512);
}

TEST_CASE("discard: whole blocks of a dynamic image vanish, parts do not") {
  VhdBuilder builder = tiny(3, 5);
  for (u64 block = 0; block < 5; ++block) builder.blocks[block].data = pattern(0, 4096, block + 1);
  builder.footer.current_size -= 1024;  // the last block is partial
  const auto file = memory_file(builder.build());
  const auto image = open_sound(file, Access::read_write);
  const u64 size = builder.footer.current_size;
  CHECK(*image->discard(512, 1024, State::zero) == 0);
  CHECK(*image->discard(512, 1024, State::absent) == 1024);
  CHECK(image->extent_at(512, 512)->state == State::data);
  CHECK(*image->discard(4096, 2 * 4096 + 512, State::zero) == 2 * 4096);
  CHECK(*image->extent_at(4096, size) == Extent{4096, 2 * 4096, State::absent, 0});
  CHECK(*image->discard(4096 + 512, 512, State::zero) == 512);  // absent already
  CHECK(*image->discard(4 * 4096, size - 4 * 4096, State::zero) == size - 4 * 4096);
  CHECK(image->extent_at(size - 512, 512)->state == State::absent);
  REQUIRE(image->close().has_value());
  CHECK(open_sound(file)->count_blocks()->allocated == 2);
  CHECK(clean(*file));
}

TEST_CASE("discard: a differencing image keeps its blocks") {
  VhdBuilder builder = tiny(4, 4);
  builder.blocks[0].data = pattern(0, 4096, 1);
  const auto image = open_sound(memory_file(builder.build()), Access::read_write);
  CHECK(*image->discard(0, 4096, State::zero) == 0);
  CHECK(*image->discard(0, 4096, State::absent) == 4096);
  CHECK(image->extent_at(0, 4096)->state == State::data);
}

TEST_CASE("discard: space is used again only after a flush and a promise, and is cleared") {
  VhdBuilder builder = tiny(3, 8);
  builder.align_data = true;
  for (u64 block = 0; block < 4; ++block) builder.blocks[block].data = pattern(0, 4096, block + 1);
  const auto file = memory_file(builder.build());
  const auto image = open_sound(file, Access::read_write);
  const u64 place = image->extent_at(4096, 512)->file_offset;
  REQUIRE(*image->discard(4096, 4096, State::zero) == 4096);
  CHECK(image->reserve(4 * 4096, 512)->file_offset != place);
  image->reclaim();  // not durable yet
  CHECK(image->reserve(5 * 4096, 512)->file_offset != place);
  REQUIRE(image->flush().has_value());
  CHECK(image->reserve(6 * 4096, 512)->file_offset != place);
  image->reclaim();
  const auto reused = image->reserve(7 * 4096, 512);
  REQUIRE(reused->file_offset == place);
  REQUIRE(image->commit(*reused).has_value());
  CHECK(*read_image(*image, 7 * 4096, 4096) == Bytes(4096));
  REQUIRE(image->close().has_value());
  CHECK(clean(*file));
}

TEST_CASE("discard: a commit that comes after the discard of its block changes nothing") {
  VhdBuilder builder = tiny(3, 4);
  builder.blocks[1].data = pattern(0, 4096, 1);
  const auto image = open_sound(memory_file(builder.build()), Access::read_write);
  const auto extent = image->reserve(4096, 512);
  REQUIRE(*image->discard(4096, 4096, State::zero) == 4096);
  CHECK(image->commit(*extent).has_value());
  CHECK(image->extent_at(4096, 512)->state == State::absent);
}

TEST_CASE("free space inside a foreign file is used before the file grows") {
  VhdBuilder builder = tiny(3, 8);
  builder.align_data = true;
  for (u64 block = 0; block < 4; ++block) builder.blocks[block].data = pattern(0, 4096, block + 1);
  Bytes bytes = builder.build();
  put_u32(bytes, table_at + 2 * 4, 0xFFFFFFFF);  // leaked, with garbage in it
  const u64 size = bytes.size();
  const auto file = memory_file(bytes);
  const auto image = open_sound(file, Access::read_write);
  REQUIRE(write_image(*image, 7 * 4096, pattern(0, 512, 9)).has_value());
  CHECK(size_of(*file) == size);
  Bytes expected = pattern(0, 512, 9);
  expected.resize(4096);
  CHECK(*read_image(*image, 7 * 4096, 4096) == expected);
}

TEST_CASE("a failed flush poisons the image") {
  const auto fault = std::make_shared<FaultFile>(created(ImageType::dynamic, 8 * mib));
  const auto image = open_sound(fault, Access::read_write);
  REQUIRE(write_image(*image, 0, pattern(0, 512, 1)).has_value());
  fault->inject({FaultyCall::flush, 0, Errc::io, false});
  CHECK_FALSE(image->flush().has_value());
  fault->heal();
  CHECK(image->flush().error().code == Errc::poisoned);
  CHECK(image->reserve(0, 512).error().code == Errc::poisoned);
  CHECK(image->commit({0, 512, State::data, 0}).error().code == Errc::poisoned);
  CHECK_FALSE(image->close().has_value());
  CHECK(*read_image(*image, 0, 512) == pattern(0, 512, 1));
}

TEST_CASE("every write and read may fail once: nothing is lost, the image goes on") {
  for (const FaultyCall call : {FaultyCall::write, FaultyCall::read, FaultyCall::resize}) {
    for (u64 index = 0; index < 24; ++index) {
      CAPTURE(index);
      const auto file = memory_file(tiny(4, 8).build());
      const auto fault = std::make_shared<FaultFile>(file);
      const auto image = open_sound(fault, Access::read_write);
      fault->inject({call, index, Errc::no_space, false});
      for (u64 block = 0; block < 6; ++block) {
        const Bytes data = pattern(0, 1024, block + 1);
        if (!write_image(*image, block * 4096, data)) {
          REQUIRE(write_image(*image, block * 4096, data).has_value());
        }
        if (block % 2 == 1 && !image->flush()) REQUIRE(image->flush().has_value());
      }
      if (!image->close()) REQUIRE(image->close().has_value());
      const auto again = open_sound(file);
      for (u64 block = 0; block < 6; ++block) {
        CHECK(*read_image(*again, block * 4096, 1024) == pattern(0, 1024, block + 1));
      }
      CHECK(clean(*file));
    }
  }
}

TEST_CASE("growing goes on where the old footer cannot be cleared") {
  class NoHoles : public ForwardingFile {
   public:
    using ForwardingFile::ForwardingFile;
    Status zero_at(u64 offset, u64 length) override {
      if (length == 512) return fail(Errc::no_space, "no space for another extent");
      return inner().zero_at(offset, length);
    }
  };
  const auto file = memory_file(tiny(3, 8).build());
  const Bytes data = pattern(0, 4096, 5);
  {
    const auto image = open_sound(std::make_shared<NoHoles>(file), Access::read_write);
    REQUIRE(write_image(*image, 4096, data).has_value());
    REQUIRE(image->flush().has_value());
    const Bytes bytes = file->content();
    CHECK(Bytes(bytes.end() - 512, bytes.end()) == Bytes(bytes.begin(), bytes.begin() + 512));
    REQUIRE(image->expand(64 * kib).has_value());
    REQUIRE(image->close().has_value());
  }
  CHECK(clean(*file));
  CHECK(*read_image(*open_sound(file), 4096, 4096) == data);
  CHECK(open_sound(file)->geometry().virtual_size == 64 * kib);
}

TEST_CASE("many dirty bitmaps are written out before they fill the memory") {
  const auto file = memory_file(tiny(4, 4096, 4096).build());
  ImageOptions options;
  options.access = Access::read_write;
  options.metadata_cache_bytes = 64 * kib;
  const auto counting = std::make_shared<CountingFile>(file);
  const auto image = *vhd::format.open(counting, options);
  for (u64 block = 0; block < 4096; ++block) {
    REQUIRE(write_image(*image, block * 4096, pattern(0, 512, block)).has_value());
  }
  CHECK(counting->counts().flushes > 2);
  CHECK(counting->counts().flushes < 200);
  REQUIRE(image->close().has_value());
  const auto again = open_sound(file);
  for (u64 block = 0; block < 4096; block += 37) {
    CHECK(*read_image(*again, block * 4096, 512) == pattern(0, 512, block));
  }
}

TEST_CASE("unpublished: nothing is flushed, close() writes everything") {
  const auto file = created(ImageType::dynamic, 200 * mib);
  const auto counting = std::make_shared<CountingFile>(file);
  ImageOptions options;
  options.access = Access::read_write;
  options.durability = Durability::unpublished;
  Bytes expected;
  {
    const auto image = *vhd::format.open(counting, options);
    for (u64 block = 0; block < 100; ++block) {
      REQUIRE(write_image(*image, block * 2 * mib, pattern(0, 4096, block)).has_value());
    }
    REQUIRE(image->flush().has_value());
    REQUIRE(image->close().has_value());
  }
  CHECK(counting->counts().flushes == 0);
  const auto again = open_sound(file);
  CHECK(again->info().warnings.empty());
  for (u64 block = 0; block < 100; ++block) {
    CHECK(*read_image(*again, block * 2 * mib, 4096) == pattern(0, 4096, block));
  }
  CHECK(clean(*file));
}

TEST_CASE("random operations agree with a flat model") {
  const u64 seed = std::random_device{}();
  MESSAGE("seed " << seed);
  for (const u32 disk_type : {2U, 3U, 4U}) {
    CAPTURE(disk_type);
    std::mt19937_64 random(seed + disk_type);
    constexpr u64 sectors = 40 * 8 + 3;
    VhdBuilder builder = tiny(disk_type, 0);
    builder.footer.current_size = sectors * 512;
    const Bytes base = disk_type == 4 ? pattern(0, sectors * 512, 99) : Bytes();
    const auto file =
        memory_file(disk_type == 2 ? make_fixed_vhd(Bytes(sectors * 512)) : builder.build());
    Bytes model = base;
    model.resize(sectors * 512);
    auto image = open_sound(file, Access::read_write);
    for (int step = 0; step < 600; ++step) {
      const u64 first = random() % sectors;
      const u64 count = 1 + random() % std::min<u64>(sectors - first, 24);
      const u64 offset = first * 512;
      const u64 length = count * 512;
      const auto place = model.begin() + static_cast<std::ptrdiff_t>(offset);
      switch (random() % 8) {
        case 0: {
          const auto done = image->discard(offset, length, State::zero);
          REQUIRE(done.has_value());
          std::fill_n(place, *done, std::byte{});
          break;
        }
        case 1: REQUIRE(image->flush().has_value()); break;
        case 2: image->reclaim(); break;
        case 3:
          if (random() % 4 != 0) break;
          REQUIRE(image->close().has_value());
          image = open_sound(file, Access::read_write);
          break;
        default: {
          const Bytes data = pattern(offset, length, random());
          REQUIRE(write_image(*image, offset, data).has_value());
          std::ranges::copy(data, place);
        }
      }
      const auto read = read_image(*image, offset, length, base);
      REQUIRE(read.has_value());
      REQUIRE(std::equal(read->begin(), read->end(), place));
    }
    REQUIRE(image->close().has_value());
    CHECK(read_all(*open_sound(file), base) == model);
    CHECK(clean(*file));
  }
}
