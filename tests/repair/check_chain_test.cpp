// What check says about the surroundings of an image: parents, and files of other programs.
#include <doctest/doctest.h>

#include "repair/damaged_place.h"
#include "support/vhd_builder.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

struct Family {
  MemoryPlace place;
  std::filesystem::path base = place.create("base.vhdx", 4 * mib);
  std::filesystem::path child = make_child();

  void move(const std::filesystem::path& from, const std::filesystem::path& to) const {
    put_file(place, to, file_content(place, from));
    must(place.files->remove(from));
  }
  /// The findings of each layer.
  [[nodiscard]] std::vector<CheckReport> check_chain() const {
    CheckOptions options;
    options.path = child;
    options.chain = true;
    options.open = place.options();
    options.open.parents = ParentPolicy::beside;
    Progress progress;
    auto reports = vdisk::check(options, progress);
    REQUIRE_MESSAGE(reports.has_value(), reports.error().message);
    std::vector<CheckReport> layers;
    for (LayerReport& layer : *reports) layers.push_back(std::move(layer.report));
    return layers;
  }
  [[nodiscard]] std::string summary() const { return summary_of(check_chain().front()); }

 private:
  [[nodiscard]] std::filesystem::path make_child() const {
    write_and_close(place, base, 0, filled(mib, 1));
    return place.snapshot(base, "child.vhdx");
  }
};

constexpr u32 windows_relative = 0x57327275;  // "W2ru"

/// A differencing VHD that names a file by its relative path, and the id of its parent.
VhdBuilder vhd_child(u8 id, u8 parent_id, const std::string& parent_path) {
  VhdBuilder child;
  child.footer.current_size = 4 * mib;
  child.footer.disk_type = 4;
  child.footer.unique_id[0] = id;
  child.parent_unique_id = child.footer.unique_id;
  child.parent_unique_id[0] = parent_id;
  child.locators = {{windows_relative, utf16le(parent_path)}};
  return child;
}

/// The errors of the last layer that opens.
std::string errors_of_chain(const MemoryPlace& place, const std::filesystem::path& path) {
  CheckOptions options;
  options.path = path;
  options.chain = true;
  options.open = place.options();
  options.open.parents = ParentPolicy::beside;
  Progress progress;
  const auto reports = vdisk::check(options, progress);
  REQUIRE_MESSAGE(reports.has_value(), reports.error().message);
  std::string errors;
  for (const Finding& finding : reports->back().report.findings) {
    if (finding.severity == Severity::error) errors += finding.id;
  }
  return errors;
}

}  // namespace

TEST_CASE("a sound chain has no findings, and one report for each layer") {
  const Family family;
  const auto layers = family.check_chain();
  REQUIRE(layers.size() == 2);
  CHECK(summary_of(layers[0]).empty());
  CHECK(summary_of(layers[1]).empty());
}

TEST_CASE("parent_missing: a parent that is gone") {
  const Family family;
  must(family.place.files->remove(family.base));
  CHECK(family.summary() == "error parent_missing");
  CHECK(family.check_chain().size() == 1);
}

TEST_CASE("parent_missing: a parent that was renamed is found by its identity") {
  const Family family;
  const auto renamed = family.base.parent_path() / "renamed.vhdx";
  family.move(family.base, renamed);
  const auto report = family.check_chain().front();
  REQUIRE(summary_of(report) == "error parent_missing");
  CHECK(report.findings[0].message.find("renamed.vhdx has the identity") != std::string::npos);
}

TEST_CASE("parent_mismatch: a parent that was written after its child was made") {
  const Family family;
  write_and_close(family.place, family.base, 0, filled(512, 9));
  CHECK(family.summary() == "error parent_mismatch");
}

TEST_CASE("parent_cycle: an image that names itself, and two that name each other") {
  const MemoryPlace place;
  put_file(place, "/disks/self.vhd", vhd_child(1, 1, ".\\self.vhd").build());
  CHECK(errors_of_chain(place, "/disks/self.vhd") == "parent_cycle");
  put_file(place, "/disks/a.vhd", vhd_child(2, 3, ".\\b.vhd").build());
  put_file(place, "/disks/b.vhd", vhd_child(3, 2, ".\\a.vhd").build());
  CHECK(errors_of_chain(place, "/disks/a.vhd") == "parent_cycle");
}

TEST_CASE("parent_refused: the path leads to where parents are not looked for") {
  const MemoryPlace place;
  put_file(place, "/disks/child.vhd", vhd_child(1, 2, "..\\secret\\base.vhd").build());
  VhdBuilder base;
  base.footer.current_size = 4 * mib;
  base.footer.unique_id[0] = 2;
  put_file(place, "/secret/base.vhd", base.build());
  CHECK(errors_of_chain(place, "/disks/child.vhd") == "parent_refused");
}

TEST_CASE("parent_size: a VHD whose parent is larger") {
  const MemoryPlace place;
  put_file(place, "/disks/child.vhd", vhd_child(1, 2, ".\\base.vhd").build());
  VhdBuilder base;
  base.footer.current_size = 6 * mib;
  base.footer.unique_id[0] = 2;
  put_file(place, "/disks/base.vhd", base.build());
  CHECK(errors_of_chain(place, "/disks/child.vhd") == "parent_size");
}

TEST_CASE("chain_depth: more than 256 layers") {
  const MemoryPlace place;
  constexpr int most = 256;
  const auto name = [](int depth) { return std::to_string(depth) + ".vhd"; };
  for (int depth = 0; depth <= most; ++depth) {
    auto image = vhd_child(0, 0, ".\\" + name(depth - 1));
    image.footer.unique_id[1] = static_cast<u8>(depth % 200);
    image.footer.unique_id[2] = static_cast<u8>(depth / 200);
    image.parent_unique_id[1] = static_cast<u8>((depth - 1) % 200);
    image.parent_unique_id[2] = static_cast<u8>((depth - 1) / 200);
    if (depth == 0) image.footer.disk_type = 3;
    put_file(place, "/disks/" + name(depth), image.build());
  }
  CHECK(errors_of_chain(place, "/disks/" + name(most - 1)).empty());
  CHECK(errors_of_chain(place, "/disks/" + name(most)) == "chain_depth");
}

TEST_CASE("parent_broken: a parent that does not open") {
  const Family family;
  auto bytes = file_content(family.place, family.base);
  for (const u64 place : {64 * kib, 128 * kib}) bytes[place + 100] ^= std::byte{1};
  put_file(family.place, family.base, bytes);
  CHECK(family.summary() == "error parent_broken");
}

TEST_CASE("findings of a parent are told of the parent") {
  const Family family;
  auto bytes = file_content(family.place, family.base);
  bytes[64 * kib + 100] ^= std::byte{1};
  put_file(family.place, family.base, bytes);
  const auto layers = family.check_chain();
  REQUIRE(layers.size() == 2);
  CHECK(summary_of(layers[0]).empty());
  CHECK(summary_of(layers[1]) == "warning X4");
}

TEST_CASE("companion: change tracking files beside the image") {
  const Family family;
  auto beside = family.child;
  beside += ".rct";
  put_file(family.place, beside, filled(10, 1));
  CHECK(family.summary() == "info companion");
}

TEST_CASE("parent_ambiguous: two files have the identity of the parent") {
  const MemoryPlace place;
  VhdBuilder base;
  base.footer.current_size = 4 * mib;
  VhdBuilder child = base;
  child.footer.disk_type = 4;
  child.footer.unique_id[0] = 77;
  child.parent_unique_id = base.footer.unique_id;
  child.locators = {{0x57327275, utf16le(".\\base.vhd")}, {0x57326B75, utf16le("C:\\x\\base.vhd")}};
  put_file(place, "/disks/child.vhd", child.build());
  put_file(place, "/disks/base.vhd", base.build());
  CheckOptions options;
  options.path = "/disks/child.vhd";
  options.chain = true;
  options.open = place.options();
  options.open.parents = ParentPolicy::beside;
  options.open.parent_map = {{"C:\\x", "/elsewhere"}};
  const auto finds_two = [&] {
    Progress progress;
    const auto reports = vdisk::check(options, progress);
    REQUIRE_MESSAGE(reports.has_value(), reports.error().message);
    return summary_of(reports->front().report).find("warning parent_ambiguous") !=
           std::string::npos;
  };
  CHECK_FALSE(finds_two());
  base.footer.unique_id[3] = 99;
  put_file(place, "/elsewhere/base.vhd", base.build());
  CHECK_FALSE(finds_two());
  base.footer.unique_id = child.parent_unique_id;
  put_file(place, "/elsewhere/base.vhd", base.build());
  CHECK(finds_two());
}
