/// Opening chains: which parents are taken, which are refused, and what the refusal says.
#include <doctest/doctest.h>

#include "support/memory_place.h"
#include "support/scratch_folder.h"
#include "support/vhd_builder.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

struct Family {
  MemoryPlace place;
  std::filesystem::path base = place.create("base.vhdx", 4 * mib);
  std::filesystem::path child = make_child();

  [[nodiscard]] Result<Disk> open(const OpenOptions& options) const {
    return Disk::open(child, options);
  }
  void move_base(const std::filesystem::path& target) const {
    const auto bytes = place.bytes(base).all();
    auto file = place.files->create_beside(target).value();
    must(file->write_at(0, bytes));
    must(place.files->publish(*file, target, false));
    must(place.files->remove(base));
  }

 private:
  [[nodiscard]] std::filesystem::path make_child() const {
    write_and_close(place, base, 0, filled(mib, 1));
    return place.snapshot(base, "child.vhdx");
  }
};

/// What opening a child says whose only word about its parent is this relative path.
Error refusal_of_child(const std::string& stated) {
  test::VhdBuilder builder;
  builder.footer.disk_type = 4;
  builder.footer.current_size = mib;
  if (!stated.empty()) builder.locators = {{0x57327275, test::utf16le(stated)}};
  const test::ScratchFolder folder;
  const auto bytes = builder.build();
  const auto file = host_file_system()->create_beside(folder / "child.vhd").value();
  must(file->write_at(0, bytes));
  must(host_file_system()->publish(*file, folder / "child.vhd", false));
  OpenOptions options;
  options.parents = ParentPolicy::beside;
  options.lock = false;
  const auto disk = Disk::open(folder / "child.vhd", options);
  return disk ? Error{Errc::success, {}} : disk.error();
}

Errc code(const Result<Disk>& opened) {
  return opened ? Errc::success : opened.error().code;
}

}  // namespace

TEST_CASE("no parent is opened unless asked for, and reads that need it say so") {
  const Family family;
  auto options = family.place.options();
  options.parents = ParentPolicy::none;
  const auto disk = family.open(options);
  REQUIRE(disk);
  CHECK(!disk->complete());
  CHECK(disk->depth() == 1);
  std::vector<std::byte> sector(512);
  const auto wrong = disk->read(0, sector);
  REQUIRE(!wrong);
  CHECK(wrong.error().code == Errc::parent_not_found);
}

TEST_CASE("a missing parent is reported with every place that was tried") {
  const Family family;
  must(family.place.files->remove(family.base));
  const auto disk = family.open(family.place.options());
  REQUIRE(code(disk) == Errc::parent_not_found);
  CHECK(disk.error().message.find("/disks/child.vhdx: ") == 0);
  CHECK(disk.error().message.find("base.vhdx") != std::string::npos);
}

TEST_CASE("a child that names no way to its parent is corrupt, and says where") {
  const Error error = refusal_of_child("");
  CHECK(error.code == Errc::corrupt);
  CHECK(error.offset == test::VhdBuilder::header_offset);
  CHECK(error.message.find("at 0x200: no usable path, expected one") != std::string::npos);
}

TEST_CASE("a path that no directory can hold is refused like any that policy does not follow") {
  CHECK(refusal_of_child(".\\base.vhd").code == Errc::parent_not_found);
  CHECK(refusal_of_child(".\\" + std::string(300, 'x')).code == Errc::parent_access_denied);
}

TEST_CASE("a moved parent is found by name, by root and by map") {
  const Family family;
  family.move_base("/elsewhere/base.vhdx");
  CHECK(code(family.open(family.place.options())) == Errc::parent_not_found);
  auto named = family.place.options();
  named.parent = "/elsewhere/base.vhdx";
  auto rooted = family.place.options();
  rooted.parent_roots = {"/elsewhere"};
  for (const auto& options : {named, rooted}) {
    const auto disk = family.open(options);
    REQUIRE_MESSAGE(disk, disk.error().message);
    CHECK(read(*disk, 0, mib) == filled(mib, 1));
  }
}

TEST_CASE("another image in the parent's place is refused, whoever named it") {
  const Family family;
  must(family.place.files->remove(family.base));
  family.place.create("base.vhdx", 4 * mib);
  CHECK(code(family.open(family.place.options())) == Errc::parent_mismatch);
  auto named = family.place.options();
  named.parent = family.base;
  CHECK(code(family.open(named)) == Errc::parent_mismatch);
}

TEST_CASE("a parent that changed since is refused: its content id is another") {
  const Family family;
  write_and_close(family.place, family.base, 0, filled(512, 2));
  CHECK(code(family.open(family.place.options())) == Errc::parent_mismatch);
}

TEST_CASE("256 layers open and read, one more is refused") {
  const MemoryPlace place;
  auto path = place.create("0.vhd", 2 * mib);
  write_and_close(place, path, 0, filled(512, 7));
  for (int depth = 1; depth < 256; ++depth) {
    path = place.snapshot(path, std::to_string(depth) + ".vhd");
  }
  {
    const auto disk = place.open(path);
    CHECK(disk.depth() == 256);
    CHECK(read(disk, 0, 512) == filled(512, 7));
  }
  CreateOptions too_deep;
  too_deep.target.path = "/disks/256.vhd";
  too_deep.parent = path;
  too_deep.open = place.options();
  Progress progress;
  const auto refused = create(too_deep, progress);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::chain_too_deep);
  too_deep.open.parents = ParentPolicy::none;  // then the depth is not known
  REQUIRE(create(too_deep, progress));
  CHECK(code(Disk::open(too_deep.target.path, place.options())) == Errc::chain_too_deep);
}

TEST_CASE("a writer of the child and a writer of its parent exclude each other") {
  const Family family;
  {
    const auto disk = family.place.open(family.child, Access::read_write);
    CHECK(code(Disk::open(family.base, family.place.options(Access::read_write))) == Errc::busy);
    CHECK(code(Disk::open(family.base, family.place.options())) == Errc::success);
  }
  const auto base = family.place.open(family.base, Access::read_write);
  CHECK(code(family.open(family.place.options())) == Errc::busy);
}
