/// merge of layers that have children of their own, and merge into a new image.
#include <doctest/doctest.h>

#include "engine/link.h"
#include "support/canceling_progress.h"
#include "support/memory_place.h"
#include "vdisk/chains.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::read;
using test::write_and_close;

namespace {

namespace fs = std::filesystem;
constexpr u64 sector = 512;
constexpr u64 disk_size = 6 * mib;
const std::vector<std::string> extensions = {"vhd", "vhdx"};

/// base <- middle <- leaf; each wrote its own value over another part and over a common one.
struct Family {
  explicit Family(std::string its_extension) : extension(std::move(its_extension)) {
    base = place.create("base." + extension, disk_size);
    write_and_close(place, base, 0, filled(2 * mib, 1));
    middle = add_child(base, "middle", 2);
    leaf = add_child(middle, "leaf", 3);
  }

  [[nodiscard]] fs::path add_child(const fs::path& parent, const std::string& name,
                                   int value) const {
    const auto path = place.snapshot(parent, name + "." + extension);
    write_and_close(place, path, static_cast<u64>(value) * mib + sector,
                    filled(mib + sector, value));
    write_and_close(place, path, static_cast<u64>(value) * 8 * sector, filled(16 * sector, value));
    return path;
  }
  [[nodiscard]] std::vector<std::byte> content(const fs::path& path) const {
    const auto disk = place.open(path);
    return read(disk, 0, disk.size());
  }
  [[nodiscard]] bool has(const fs::path& path) const {
    return place.files->identity(path).has_value();
  }
  [[nodiscard]] MergeOptions options(const fs::path& child) const {
    MergeOptions result;
    result.child = child;
    result.open = place.options(Access::read_write);
    return result;
  }

  std::string extension;
  MemoryPlace place;
  fs::path base, middle, leaf;
};

Result<Merged> run(const MergeOptions& options) {
  Progress progress;
  return merge(options, progress);
}

Errc outcome(const MergeOptions& options) {
  const auto merged = run(options);
  return merged ? Errc::success : merged.error().code;
}

void grow(const Family& family, const fs::path& path, u64 size) {
  Progress progress;
  REQUIRE(expand({.path = path, .size = size, .open = family.place.options(Access::read_write)},
                 progress));
}

}  // namespace

TEST_CASE("merging a middle layer leaves its children as they are while it stays") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    const auto leaf = family.content(family.leaf);
    const auto bytes = family.place.bytes(family.leaf).all();
    CHECK(outcome(family.options(family.middle)) == Errc::success);
    CHECK(family.content(family.leaf) == leaf);
    CHECK(family.place.bytes(family.leaf).all() == bytes);
  }
}

TEST_CASE("deleting a merged middle layer links all its children to the target first") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    const auto second = family.add_child(family.middle, "second", 4);
    const auto grandchild = family.add_child(family.leaf, "grandchild", 1);
    const std::vector<fs::path> readers = {family.leaf, second, grandchild};
    std::vector<std::vector<std::byte>> before;
    for (const auto& path : readers) before.push_back(family.content(path));
    auto options = family.options(family.middle);
    options.delete_children = true;
    const auto merged = run(options);
    REQUIRE_MESSAGE(merged, merged.error().message);
    CHECK(merged->relinked_files == std::vector<fs::path>{family.leaf, second});
    CHECK(merged->removed_files == std::vector<fs::path>{family.middle});
    CHECK(!family.has(family.middle));
    for (std::size_t index = 0; index < readers.size(); ++index) {
      CHECK(family.content(readers[index]) == before[index]);
      CHECK(family.place.check(readers[index]).clean());
    }
    CHECK(family.place.open(family.leaf).layer(1)->path == family.base);
  }
}

TEST_CASE("the target may be fixed, and the result of any type and format") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const MemoryPlace place;
    Target fixed;
    fixed.type = ImageType::fixed;
    const auto base = place.create("base." + extension, disk_size, fixed);
    write_and_close(place, base, 0, filled(2 * mib, 1));
    const auto middle = place.snapshot(base, "middle." + extension);
    write_and_close(place, middle, mib + sector, filled(mib, 2));
    const auto leaf = place.snapshot(middle, "leaf." + extension);
    write_and_close(place, leaf, 4 * mib, filled(sector, 3));
    const auto content = [&](const fs::path& path) { return read(place.open(path), 0, disk_size); };
    const auto leaf_content = content(leaf);
    MergeOptions options;
    options.child = leaf;
    options.open = place.options(Access::read_write);
    for (const std::string name : {"f.vhd", "d.vhd", "f.vhdx", "d.vhdx", "r.raw"}) {
      CAPTURE(name);
      options.output = Target{.path = "/disks/" + name};
      if (name[0] == 'f') options.output->type = ImageType::fixed;
      CHECK(outcome(options) == Errc::success);
      CHECK(content(options.output->path) == leaf_content);
    }
    options.output.reset();
    options.child = middle;
    options.delete_children = true;
    CHECK(outcome(options) == Errc::success);
    CHECK(content(leaf) == leaf_content);
    CHECK(place.open(leaf).depth() == 2);
  }
}

TEST_CASE("a merge that was interrupted while it linked children is finished by a rerun") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    const auto second = family.add_child(family.middle, "second", 4);
    const auto leaf_content = family.content(family.leaf);
    const auto second_content = family.content(second);
    CHECK(outcome(family.options(family.middle)) == Errc::success);
    // One child was linked to the target, then the power failed.
    RebaseOptions rebase_options;
    rebase_options.child = family.leaf;
    rebase_options.parent = family.base;
    rebase_options.force_identity = true;
    rebase_options.open = family.place.options(Access::read_write);
    Progress progress;
    const auto rebased = rebase(rebase_options, progress);
    REQUIRE_MESSAGE(rebased, rebased.error().message);

    auto options = family.options(family.middle);
    CHECK(outcome(options) == Errc::has_children);  // without delete nothing is left to finish
    options.delete_children = true;
    const auto base_before = family.place.bytes(family.base).all();
    const auto merged = run(options);
    REQUIRE_MESSAGE(merged, merged.error().message);
    CHECK(merged->relinked_files == std::vector<fs::path>{second});
    CHECK(merged->merged_bytes == 0);
    CHECK(family.place.bytes(family.base).all() == base_before);
    CHECK(!family.has(family.middle));
    CHECK(family.content(family.leaf) == leaf_content);
    CHECK(family.content(second) == second_content);
  }
}

TEST_CASE("children whose view would change are a reason to refuse, and nothing changes") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    const auto cousin = family.add_child(family.middle, "cousin", 4);
    std::vector<std::vector<std::byte>> before;
    const std::vector<fs::path> all = {family.base, family.middle, family.leaf, cousin};
    for (const auto& path : all) before.push_back(family.place.bytes(path).all());
    auto options = family.options(family.leaf);
    options.all = true;
    for (const bool remove : {false, true}) {
      options.delete_children = remove;
      const auto merged = run(options);
      REQUIRE(!merged);
      CHECK(merged.error().code == Errc::has_children);
      CHECK(merged.error().message.find("cousin") != std::string::npos);
    }
    for (std::size_t index = 0; index < all.size(); ++index) {
      CHECK(family.place.bytes(all[index]).all() == before[index]);
    }
  }
}

TEST_CASE("a child larger than the merged leaf sees nothing more of a larger target") {
  const Family family("vhdx");
  const auto large = family.add_child(family.leaf, "large", 1);
  grow(family, large, disk_size + 2 * mib);
  // A target larger than the layer above it, as a foreign tool may leave it.
  const auto tall = family.place.create("tall.vhdx", disk_size + 4 * mib);
  write_and_close(family.place, tall, 0, filled(disk_size + 4 * mib, 7));
  const Guid tall_id = *family.place.open(tall).layer(0)->image.data_write_id;
  auto middle = open_child_for_linking(family.middle, family.place.options());
  REQUIRE(middle);
  REQUIRE(link_child(*middle, {.path = tall, .content_id = tall_id}, *family.place.files));
  middle = Layer{};
  auto options = family.options(family.leaf);
  options.all = true;
  options.delete_children = true;
  const auto view = family.content(large);
  const auto merged = run(options);
  REQUIRE_MESSAGE(merged, merged.error().message);
  CHECK(family.place.open(tall).size() == disk_size);
  CHECK(family.content(large) == view);
}

TEST_CASE("merge reads nothing of the layers twice") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    auto options = family.options(family.leaf);
    options.all = true;
    family.place.files->reset();
    const auto merged = run(options);
    REQUIRE(merged);
    // Metadata of three images is read three times (plan, other children, work): far less than
    // the payload, which is read once.
    const u64 read_bytes = family.place.files->counts().read_bytes;
    CHECK(read_bytes >= merged->merged_bytes);
    CHECK(read_bytes < merged->merged_bytes + 3 * mib);
  }
}

TEST_CASE("merge into a new image: the whole chain, or its upper part on what is left of it") {
  for (const std::string& extension : extensions) {
    for (const u32 depth : {1U, 2U}) {
      CAPTURE(extension);
      CAPTURE(depth);
      const Family family(extension);
      const auto leaf = family.content(family.leaf);
      auto options = family.options(family.leaf);
      options.output = Target{.path = "/disks/new." + extension};
      if (depth == 1) options.depth = depth;  // else: the whole chain by default
      const auto merged = run(options);
      REQUIRE_MESSAGE(merged, merged.error().message);
      CHECK(merged->into == options.output->path);
      const auto disk = family.place.open(merged->into);
      CHECK(disk.depth() == 3 - depth);
      CHECK(read(disk, 0, disk_size) == leaf);
      CHECK(family.place.check(merged->into).clean());
      CHECK(family.content(family.leaf) == leaf);
      CHECK(outcome(options) == Errc::file_exists);
    }
  }
}

TEST_CASE("merge into a new image keeps zeros that a layer put over its parent's data") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    auto disk = family.place.open(family.leaf, Access::read_write);
    REQUIRE(disk.zero(0, mib));
    REQUIRE(disk.zero(2 * mib - sector, 4 * sector));
    REQUIRE(disk.close());
    const auto leaf = family.content(family.leaf);
    auto options = family.options(family.leaf);
    options.output = Target{.path = "/disks/new." + extension};
    options.depth = 1;
    REQUIRE(outcome(options) == Errc::success);
    CHECK(family.content("/disks/new." + extension) == leaf);
  }
}

TEST_CASE("merge into a new image may remove what it replaces, and link the leaf's children") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    const auto top = family.add_child(family.leaf, "top", 4);
    const auto top_content = family.content(top);
    auto options = family.options(family.leaf);
    options.output = Target{.path = "/disks/new." + extension};
    options.depth = 1;
    options.delete_children = true;
    const auto merged = run(options);
    REQUIRE_MESSAGE(merged, merged.error().message);
    CHECK(merged->removed_files == std::vector<fs::path>{family.leaf, family.middle});
    CHECK(merged->relinked_files == std::vector<fs::path>{top});
    CHECK(family.has(family.base));
    CHECK(family.content(top) == top_content);
    const auto depth = family.place.open(top).depth();
    CHECK(depth == 3);
  }
}

TEST_CASE("merge into a new image does not replace one that has got children") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Family family(extension);
    const auto top = family.add_child(family.leaf, "top", 4);
    auto options = family.options(family.leaf);
    options.output = Target{.path = "/disks/new." + extension};
    options.delete_children = true;
    REQUIRE(outcome(options) == Errc::success);
    const auto top_content = family.content(top);
    const auto base = family.place.create("another." + extension, disk_size);
    options.child = family.add_child(base, "child", 2);
    options.output->replace = true;
    CHECK(outcome(options) == Errc::has_children);
    CHECK(family.content(top) == top_content);
    options.force_siblings = true;
    CHECK(outcome(options) == Errc::success);
  }
}

TEST_CASE("merge into a new image refuses what cannot be, before anything is written") {
  const Family family("vhdx");
  auto options = family.options(family.leaf);
  options.output = Target{.path = family.middle, .replace = true};
  CHECK(outcome(options) == Errc::same_file);
  options.output = Target{.path = "/disks/new.vhd"};
  options.depth = 1;
  CHECK(kind(outcome(options)) == ErrorKind::invalid_argument);  // a child of another format
  options.output = Target{.path = "/disks/new.vhdx", .type = ImageType::dynamic};
  CHECK(outcome(options) == Errc::invalid_argument);
  CHECK(!family.has("/disks/new.vhd"));
  CHECK(!family.has("/disks/new.vhdx"));
  options.depth.reset();
  options.output = Target{.path = "/disks/whole.vhd", .type = ImageType::fixed};
  CHECK(outcome(options) == Errc::success);  // without a parent any format will do
  CHECK(family.content("/disks/whole.vhd") == family.content(family.leaf));
}

TEST_CASE("P13: merge with children, canceled at every step, keeps every view; a rerun ends") {
  for (const std::string& extension : extensions) {
    for (const bool into_new : {false, true}) {
      CAPTURE(extension);
      CAPTURE(into_new);
      const Family family(extension);
      const auto second = family.add_child(family.middle, "second", 4);
      const auto leaf_content = family.content(family.leaf);
      const auto second_content = family.content(second);
      auto options = family.options(family.middle);
      options.delete_children = true;
      if (into_new) {
        options.output = Target{.path = "/disks/new." + extension};
        options.all = true;
      }
      test::cancel_at_every_step([&](Progress& progress) { return merge(options, progress); },
                                 [&] {
                                   CHECK(family.content(family.leaf) == leaf_content);
                                   CHECK(family.content(second) == second_content);
                                   CHECK(family.has(family.middle));
                                   CHECK(!family.has("/disks/new." + extension));
                                 });
      CHECK(family.content(family.leaf) == leaf_content);
      CHECK(family.content(second) == second_content);
      CHECK(!family.has(family.middle));
    }
  }
}
