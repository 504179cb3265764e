/// Laying out new images, and showing them.
#include <map>

#include "image_access.h"
#include "support/counting_file.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

CreateSpec spec_of(ImageType type, u64 size) {
  CreateSpec spec;
  spec.type = type;
  spec.virtual_size = size;
  spec.id = Guid{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
  spec.created = 946684800;
  if (type == ImageType::differencing) {
    spec.parent = ParentSpec{};
    spec.parent->format = "vhd";
    spec.parent->content_id.bytes[3] = 1;
    spec.parent->modified_time = 946684800 + 77;
    spec.parent->file_name = "base.vhd";
    spec.parent->relative_path = ".\\base.vhd";
  }
  return spec;
}

std::shared_ptr<MemoryFile> create(CreateSpec spec) {
  const auto completed = vhd::format.complete(spec);
  if (!completed) FAIL(completed.error().message);
  auto file = std::make_shared<MemoryFile>();
  REQUIRE(vhd::format.create(*file, spec).has_value());
  return file;
}

Errc refusal(const CreateSpec& spec) {
  CreateSpec copy = spec;
  const auto completed = vhd::format.complete(copy);
  return completed ? Errc::success : completed.error().code;
}

}  // namespace

TEST_CASE("create: fixed, dynamic and differencing images are clean and empty") {
  for (const ImageType type : {ImageType::fixed, ImageType::dynamic, ImageType::differencing}) {
    for (const u64 size : {u64{512}, 3 * mib, 9 * mib + 512}) {
      const auto file = create(spec_of(type, size));
      const auto image = open_sound(file);
      CHECK(image->info().type == type);
      CHECK(image->geometry().virtual_size == size);
      CHECK(image->info().warnings.empty());
      CHECK(read_all(*image) == Bytes(size));
      CheckReport report;
      REQUIRE(vhd::format.check(*file, report).has_value());
      CHECK(report.findings.empty());
    }
  }
}

TEST_CASE("create: bytes equal the published vectors") {
  const Bytes f1 = create(spec_of(ImageType::fixed, 3 * mib))->content();
  CHECK(f1.size() == 3 * mib + 512);
  CHECK(get_u32(f1, 3 * mib + 64) == 0xFFFFF089);
  const Bytes f2 = create(spec_of(ImageType::dynamic, 127 * gib))->content();
  CHECK(get_u32(f2, 64) == 0xFFFFF484);
  CHECK(get_u32(f2, 512 + 36) == 0xFFFFF379);
  CHECK(f2.size() == 0x3FE00 + 512);
  CHECK(std::equal(f2.begin(), f2.begin() + 512, f2.end() - 512));
  const Bytes small = create(spec_of(ImageType::dynamic, 3 * mib))->content();
  CHECK(small.size() == 0xE00 + 512);
}

TEST_CASE("create: 1 TiB takes few writes and no flush") {
  for (const ImageType type : {ImageType::fixed, ImageType::dynamic, ImageType::differencing}) {
    CreateSpec spec = spec_of(type, tib);
    REQUIRE(vhd::format.complete(spec).has_value());
    CountingFile file(std::make_shared<MemoryFile>());
    REQUIRE(vhd::format.create(file, spec).has_value());
    CHECK(file.counts().writes <= 8);
    CHECK(file.counts().flushes == 0);
  }
}

TEST_CASE("create: a child names its parent in three ways") {
  CreateSpec spec = spec_of(ImageType::differencing, 9 * mib);
  spec.parent->absolute_win32_path = "C:\\images\\base.vhd";
  const Bytes bytes = create(spec)->content();
  CHECK(get_u32(bytes, 512 + 56) == 77);
  CHECK(bytes[512 + 40 + 3] == std::byte{1});
  const Bytes name = utf16be("base.vhd");
  CHECK(std::equal(name.begin(), name.end(), bytes.begin() + 512 + 64));
  std::map<u32, Bytes> locators;
  for (u64 slot = 0; slot < 8; ++slot) {
    const u64 at = 512 + 576 + slot * 24;
    if (get_u32(bytes, at) == 0) continue;
    CHECK(get_u32(bytes, at + 4) % 512 == 0);
    CHECK(get_u32(bytes, at + 4) >= get_u32(bytes, at + 8));
    const u64 offset = get_u64(bytes, at + 16);
    CHECK(offset % 512 == 0);
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
    locators[get_u32(bytes, at)] =
        Bytes(begin, begin + static_cast<std::ptrdiff_t>(get_u32(bytes, at + 8)));
  }
  CHECK(locators.size() == 2);
  CHECK(locators[0x57327275] == utf16le(".\\base.vhd"));
  CHECK(locators[0x57326B75] == utf16le("C:\\images\\base.vhd"));
}

TEST_CASE("create: without a Windows path W2ku holds the relative one") {
  const auto paths =
      open_sound(create(spec_of(ImageType::differencing, mib)))->info().parent->paths;
  REQUIRE(paths.size() == 3);
  CHECK(paths[1].kind == "W2ku");
  CHECK(paths[1].path == ".\\base.vhd");
}

TEST_CASE("create: long names and paths, and names outside ASCII") {
  CreateSpec spec = spec_of(ImageType::differencing, mib);
  const std::string disk = "\xF0\x9F\x92\xBE";  // two UTF-16 units
  spec.parent->file_name = std::string(254, 'n') + disk;
  spec.parent->relative_path = ".\\" + std::string(2000, 'd') + "\\" + spec.parent->file_name;
  auto paths = open_sound(create(spec))->info().parent->paths;
  CHECK(paths[0].path == spec.parent->relative_path);
  CHECK(paths[2].path == std::string(254, 'n'));  // no half of a surrogate pair
  CHECK(paths[2].well_formed);
  spec.parent->file_name = std::string(253, 'n') + disk;
  paths = open_sound(create(spec))->info().parent->paths;
  CHECK(paths[2].path == spec.parent->file_name);
  spec.parent->file_name = "\xFF";
  REQUIRE(vhd::format.complete(spec).has_value());
  MemoryFile file;
  CHECK(vhd::format.create(file, spec).error().code == Errc::invalid_argument);
}

TEST_CASE("create: what the format cannot hold is refused with the caller's fault") {
  for (const u64 size : {u64{0}, u64{511}, u64{1000}, 2040 * gib + 512, ~u64{0}}) {
    CHECK(refusal(spec_of(ImageType::dynamic, size)) == Errc::invalid_argument);
    CHECK(refusal(spec_of(ImageType::fixed, size)) == Errc::invalid_argument);
  }
  CHECK(refusal(spec_of(ImageType::dynamic, 2040 * gib)) == Errc::success);
  CreateSpec spec = spec_of(ImageType::dynamic, mib);
  for (const u32 size : {0U, 1U, 4096U, 3U << 20, 32U << 20}) {
    spec.block_size = size;
    CHECK(refusal(spec) == Errc::invalid_argument);
  }
  spec.block_size = 512 * kib;
  CHECK(refusal(spec) == Errc::success);
  spec.logical_sector_size = 4096;
  CHECK(refusal(spec) == Errc::invalid_argument);
  spec = spec_of(ImageType::fixed, mib);
  spec.block_size = 2 * mib;
  CHECK(refusal(spec) == Errc::invalid_argument);
  spec = spec_of(ImageType::differencing, mib);
  spec.parent->geometry.virtual_size = 2 * mib;
  CHECK(refusal(spec) == Errc::invalid_argument);
  spec.parent->geometry.virtual_size = mib;
  CHECK(refusal(spec) == Errc::success);
  spec.parent->format = "vhdx";
  CHECK(refusal(spec) == Errc::invalid_argument);
  spec.parent.reset();
  CHECK(refusal(spec) == Errc::invalid_argument);
  spec = spec_of(ImageType::dynamic, mib);
  spec.parent = ParentSpec{};
  CHECK(refusal(spec) == Errc::invalid_argument);
}

TEST_CASE("dump: every structure with its fields at absolute offsets") {
  CreateSpec spec = spec_of(ImageType::differencing, 9 * mib);
  const auto file = create(spec);
  {
    const auto image = open_sound(file, Access::read_write);
    for (const u64 block : {u64{0}, u64{1}, u64{3}}) {
      REQUIRE(write_image(*image, block * 2 * mib, pattern(0, 512, 1)).has_value());
    }
    REQUIRE(image->close().has_value());
  }
  std::map<std::string, Structure> seen;
  REQUIRE(vhd::format
              .dump(*file,
                    [&](const Structure& structure) {
                      seen[structure.name] = structure;
                      return Status();
                    })
              .has_value());
  REQUIRE(seen.contains("footer"));
  REQUIRE(seen.contains("footer copy"));
  REQUIRE(seen.contains("dynamic header"));
  REQUIRE(seen.contains("parent locator 0"));
  REQUIRE(seen.contains("parent locator 1"));
  const Structure& table = seen["BAT from entry 0"];
  CHECK(table.offset == 1536);
  CHECK(table.size == 5 * 4);
  REQUIRE(table.fields.size() == 4);
  CHECK(table.fields[0].name == "entries 0-1");
  CHECK(table.fields[1].value == "not allocated");
  CHECK(table.fields[2].name == "entries 3-3");
  CHECK(table.fields[2].offset == 1536 + 12);
  const auto& fields = seen["footer copy"].fields;
  const auto size = std::ranges::find(fields, "current_size", &Field::name);
  REQUIRE(size != fields.end());
  CHECK(size->offset == 48);
  CHECK(size->value == "0x900000");
}

TEST_CASE("dump: a table of equal entries is one line, however long it is") {
  const VhdBuilder builder = small_dynamic();
  Bytes bytes = builder.build();
  for (u64 index = 0; index < builder.entry_count(); ++index) {
    put_u32(bytes, VhdBuilder::table_offset + 4 * index, 7);
  }
  std::size_t lines = 0;
  REQUIRE(vhd::format
              .dump(*memory_file(bytes),
                    [&](const Structure& structure) {
                      if (structure.name.starts_with("BAT")) lines += structure.fields.size();
                      return Status();
                    })
              .has_value());
  CHECK(lines == 1);
}

TEST_CASE("dump: damaged images show what is there; an error of the sink ends it") {
  Bytes bytes = small_dynamic().build();
  put_u8(bytes, 70, 0xEE);
  put_u8(bytes, 600, 0xEE);
  std::vector<std::string> names;
  const auto file = memory_file(bytes);
  REQUIRE(vhd::format
              .dump(*file,
                    [&](const Structure& structure) {
                      names.push_back(structure.name);
                      return Status();
                    })
              .has_value());
  CHECK(names ==
        std::vector<std::string>{"footer copy (wrong checksum)", "dynamic header", "footer"});
  const auto stopped = vhd::format.dump(
      *file, [](const Structure&) { return Status(fail(Errc::canceled, "enough")); });
  CHECK(stopped.error().code == Errc::canceled);
}
