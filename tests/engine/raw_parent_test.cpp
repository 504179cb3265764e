/// Children of raw disks, as Xen makes them: FORMATS 1.11, an all-zero ParentUniqueId.
#include <doctest/doctest.h>

#include "support/memory_place.h"
#include "support/vhd_builder.h"
#include "vdisk/chains.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

namespace fs = std::filesystem;
constexpr u64 disk_size = 4 * mib;
constexpr u64 block = 2 * mib;

/// A raw disk of ones, and a child that has twos in its second block.
struct Family {
  Family() {
    raw = place.create("base.img", disk_size);
    write_and_close(place, raw, 0, filled(disk_size, 1));
    child = add_child("child.vhd", "tap");
  }

  [[nodiscard]] fs::path add_child(const std::string& name, const std::string& creator,
                                   const std::string& stated = ".\\base.img") const {
    test::VhdBuilder builder;
    builder.footer.disk_type = 4;
    builder.footer.creator_application = creator + std::string(4 - creator.size(), '\0');
    builder.footer.creator_version = 0x00010000;
    builder.footer.current_size = disk_size;
    builder.locators = {{0x57327275, test::utf16le(stated)}};
    builder.blocks[1] = {.data = filled(block, 2), .bitmap = {}};
    return put(name, builder.build());
  }
  fs::path put(const std::string& name, const std::vector<std::byte>& bytes) const {
    const fs::path path = (raw.parent_path() / name).lexically_normal();
    const auto file = place.files->create_beside(path).value();
    must(file->write_at(0, bytes));
    must(place.files->publish(*file, path, true));
    return path;
  }
  [[nodiscard]] OpenOptions named(Access access = Access::read_only) const {
    OpenOptions options = place.options(access);
    options.parent = raw;
    return options;
  }
  [[nodiscard]] Result<Merged> merge_named(bool remove = false) const {
    MergeOptions options;
    options.child = child;
    options.open = named(Access::read_write);
    options.delete_children = remove;
    Progress progress;
    return merge(options, progress);
  }

  MemoryPlace place;
  fs::path raw, child;
};

}  // namespace

TEST_CASE("a raw parent has no identity: it is opened only when the caller names it") {
  const Family family;
  const auto unnamed = Disk::open(family.child, family.place.options());
  REQUIRE_FALSE(unnamed);
  CHECK(unnamed.error().code == Errc::parent_access_denied);
  CHECK(unnamed.error().message.find("expected the caller to name it") != std::string::npos);
  const auto disk = Disk::open(family.child, family.named());
  REQUIRE_MESSAGE(disk, disk.error().message);
  CHECK(read(*disk, 0, block) == filled(block, 1));
  CHECK(read(*disk, block, block) == filled(block, 2));
}

TEST_CASE("a raw parent is raw whatever its content looks like") {
  const Family family;
  const auto fixed = test::make_fixed_vhd(filled(disk_size - 512, 7));
  REQUIRE(fixed.size() == disk_size);
  family.put("base.img", fixed);
  const auto disk = Disk::open(family.child, family.named());
  REQUIRE_MESSAGE(disk, disk.error().message);
  CHECK(disk->layer(1)->image.format == "raw");
  CHECK(disk->layer(1)->image.geometry.virtual_size == disk_size);
}

TEST_CASE("an all-zero parent id says raw in images of Xen only") {
  const Family family;
  const auto other = family.add_child("other.vhd", "win ");
  const auto disk = Disk::open(other, family.named());
  REQUIRE_FALSE(disk);
  CHECK(disk.error().code == Errc::parent_mismatch);
}

TEST_CASE("a child of a raw disk is merged into it") {
  const Family family;
  const auto merged = family.merge_named(true);
  REQUIRE_MESSAGE(merged, merged.error().message);
  CHECK(merged->into == family.raw);
  CHECK_FALSE(family.place.files->identity(family.child));
  OpenOptions options = family.place.options();
  options.format = "raw";
  const auto disk = Disk::open(family.raw, options);
  REQUIRE(disk);
  CHECK(read(*disk, 0, block) == filled(block, 1));
  CHECK(read(*disk, block, block) == filled(block, 2));
}

TEST_CASE("other children of the raw disk are known by their paths, and refuse a merge into it") {
  const Family family;
  const auto sibling = family.add_child("sibling.vhd", "tap");
  const auto merged = family.merge_named();
  REQUIRE_FALSE(merged);
  CHECK(merged.error().code == Errc::has_children);
  CHECK(merged.error().message.find(sibling.string()) != std::string::npos);
  OpenOptions options = family.place.options();
  options.format = "raw";
  const auto known = children_of(family.raw, options);
  REQUIRE(known);
  CHECK(*known == std::vector{family.child, sibling});
}

TEST_CASE("a sibling counts wherever the raw disk is, and when its paths lead nowhere") {
  Family family;
  const auto kept = family.raw;
  const auto elsewhere = family.put("../raw/base.img", filled(disk_size, 1));
  family.child = family.add_child("child.vhd", "tap", "..\\raw\\base.img");
  for (const std::string stated : {"..\\raw\\base.img", ".\\gone.img"}) {
    CAPTURE(stated);
    family.raw = kept;
    (void)family.add_child("sibling.vhd", "tap", stated);
    family.raw = elsewhere;
    const auto merged = family.merge_named();
    REQUIRE_FALSE(merged);
    CHECK(merged.error().code == Errc::has_children);
    CHECK(merged.error().message.find("sibling.vhd") != std::string::npos);
  }
  family.raw = kept;
  (void)family.add_child("sibling.vhd", "tap", ".\\base.img");  // another raw disk
  family.raw = elsewhere;
  const auto merged = family.merge_named();
  CHECK_MESSAGE(merged, merged.error().message);
}

TEST_CASE("what cannot be the parent is not merged into: an image, or a larger disk") {
  const Family family;
  family.put("base.img", test::make_fixed_vhd(filled(disk_size - 512, 7)));
  CHECK(family.merge_named().error().code == Errc::ambiguous_format);
  family.put("base.img", filled(disk_size + 512, 7));
  CHECK(family.merge_named().error().code == Errc::parent_size_mismatch);
  CHECK(read(*Disk::open(family.child, family.named()), 0, block) == filled(block, 7));
  family.put("base.img", filled(block, 7));  // a child may have grown
  CHECK(family.merge_named());
}

TEST_CASE("a tree says that a parent is a raw disk, and relink leaves it alone") {
  const Family family;
  TreeOptions options;
  options.directory = family.raw.parent_path();
  options.open = family.place.options();
  Progress progress;
  const auto tree = image_tree(options, progress);
  REQUIRE(tree);
  REQUIRE(tree->images.size() == 1);
  CHECK(tree->images[0].parent_state == ParentState::raw);
  CHECK(name(ParentState::raw) == "raw");
  RelinkOptions relinking;
  relinking.directory = options.directory;
  relinking.open = options.open;
  const auto relinked = relink(relinking, progress);
  REQUIRE(relinked);
  CHECK(relinked->unresolved.empty());
}

TEST_CASE("children of a merged layer cannot be linked to a raw disk: it has no id") {
  const Family family;
  CreateOptions grandchild;
  grandchild.parent = family.child;
  grandchild.target.path = family.raw.parent_path() / "grandchild.vhd";
  grandchild.open = family.place.options();
  grandchild.open.parents = ParentPolicy::none;
  Progress progress;
  const auto created = create(grandchild, progress);
  REQUIRE_MESSAGE(created, created.error().message);
  const auto merged = family.merge_named(true);
  REQUIRE_FALSE(merged);
  CHECK(merged.error().code == Errc::has_children);
  CHECK(merged.error().message.find("grandchild.vhd") != std::string::npos);
  CHECK(family.place.files->identity(family.child));
}
