#include "formats/vhdx/dump.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

std::vector<Structure> dump_of(const File& file) {
  std::vector<Structure> structures;
  REQUIRE(dump(file, [&structures](const Structure& structure) {
            structures.push_back(structure);
            return Status();
          }).has_value());
  return structures;
}
std::vector<std::string> names_of(const std::vector<Structure>& structures) {
  std::vector<std::string> names;
  for (const Structure& structure : structures) names.push_back(structure.name);
  return names;
}
const Structure& find(const std::vector<Structure>& structures, std::string_view name) {
  const auto found = std::ranges::find(structures, name, &Structure::name);
  REQUIRE(found != structures.end());
  return *found;
}
const Field& find(const Structure& structure, std::string_view name) {
  const auto found = std::ranges::find(structure.fields, name, &Field::name);
  REQUIRE(found != structure.fields.end());
  return *found;
}

}  // namespace

TEST_CASE("dump shows every structure of an image with its place") {
  VhdxBuilder builder;
  builder.has_parent = true;
  builder.log_guid = test_log_guid;
  builder.log = {{.sequence_number = 77, .writes = {{3 * mib, Bytes(4096)}}}};
  builder.add_block(0, 1);
  builder.add_block(1, 1);
  builder.set_block(5, 2, 0);
  builder.add_bitmap(0, {});
  const auto structures = dump_of(*builder.build());
  CHECK(names_of(structures) == std::vector<std::string>{"file type identifier",
                                                         "header 1",
                                                         "header 2",
                                                         "region table 1",
                                                         "region table entry",
                                                         "region table entry",
                                                         "region table 2",
                                                         "region table entry",
                                                         "region table entry",
                                                         "log entry",
                                                         "metadata table",
                                                         "metadata table entry",
                                                         "metadata table entry",
                                                         "metadata table entry",
                                                         "metadata table entry",
                                                         "metadata table entry",
                                                         "metadata table entry",
                                                         "file parameters",
                                                         "virtual disk size",
                                                         "logical sector size",
                                                         "physical sector size",
                                                         "virtual disk id",
                                                         "parent locator",
                                                         "BAT"});
  CHECK(find(find(structures, "file type identifier"), "creator").value == "vhdx_builder");
  const auto& sequence = find(find(structures, "header 2"), "sequence_number");
  CHECK(sequence.value == "8");
  CHECK(sequence.offset == 128 * kib + 8);
  CHECK(sequence.size == 8);
  CHECK(find(find(structures, "header 1"), "checksum").value.ends_with("(right)"));
  CHECK(find(find(structures, "log entry"), "sequence_number").value == "77");
  CHECK(find(find(structures, "log entry"), "active").value == "yes");
  CHECK(find(find(structures, "log entry"), "data").value == "0x1000 bytes to 0x300000");
  CHECK(find(find(structures, "virtual disk size"), "virtual_disk_size").value == "8388608");
  CHECK(find(find(structures, "parent locator"), "relative_path").value == ".\\parent.vhdx");
  const auto& bat = find(structures, "BAT");
  REQUIRE(bat.fields.size() == 3);
  CHECK(bat.fields[0].name == "blocks 0 to 1");
  CHECK(bat.fields[0].value == "fully_present at 0x400000");
  CHECK(bat.fields[0].offset == builder.bat_entry_offset(0));
  CHECK(bat.fields[0].size == 16);
  CHECK(bat.fields[1].value == "zero");
  CHECK(bat.fields[2].name == "bitmap of chunk 0");
  CHECK(bat.fields[2].offset == builder.bat_entry_offset(builder.bitmap_index(0)));
}

TEST_CASE("dump shows a damaged image as far as it can be read") {
  const auto file = VhdxBuilder{}.build();
  poke(*file, header_place[0], filled(16, 0xFF));
  poke(*file, header_place[1], filled(16, 0xFF));
  const auto structures = dump_of(*file);
  CHECK(find(find(structures, "header 1"), "signature").value == "....");
  CHECK(find(find(structures, "header 1"), "checksum").value.find("wrong") != std::string::npos);
  CHECK(structures.back().name == "region table entry");
}

TEST_CASE("dump shows a large BAT in pieces, and stops when the sink says so") {
  VhdxBuilder builder;
  builder.virtual_size = 4 * gib;
  for (u64 block = 0; block < 1200; block += 2) builder.set_block(block, 2, 0);
  const auto file = builder.build();
  std::size_t pieces = 0;
  std::size_t runs = 0;
  for (const Structure& structure : dump_of(*file)) {
    if (structure.name != "BAT") continue;
    ++pieces;
    runs += structure.fields.size();
    CHECK(structure.fields.size() <= 256);
  }
  CHECK(pieces == 3);
  CHECK(runs == 600);
  int calls = 0;
  const auto stopped = dump(*file, [&calls](const Structure&) -> Status {
    if (++calls == 4) return fail(Errc::canceled, "enough");
    return {};
  });
  CHECK(stopped.error().code == Errc::canceled);
  CHECK(calls == 4);
}
