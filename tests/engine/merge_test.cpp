/// merge: which layers move where, what is refused, and that an interrupted merge can be rerun.
#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

constexpr u64 sector = 512;
constexpr u64 disk_size = 6 * mib;

MergeOptions merge_options(const MemoryPlace& place, const std::filesystem::path& child) {
  MergeOptions options;
  options.child = child;
  options.open = place.options(Access::read_write);
  return options;
}

Errc outcome(const MergeOptions& options) {
  Progress progress;
  const auto merged = merge(options, progress);
  return merged ? Errc::success : merged.error().code;
}

Target blocks_of(u64 size) {
  Target target;
  target.block_size = static_cast<u32>(size);
  return target;
}

/// A base and three children on top of each other: layer N wrote N + 1 over 1 MiB and a little
/// more from the N-th MiB on, each across a block boundary.
struct Stack {
  explicit Stack(std::string its_extension, ImageType base_type = ImageType::dynamic)
      : extension(std::move(its_extension)) {
    Target target;
    target.type = base_type;
    paths.push_back(place.create("0." + extension, disk_size, target));
    fill(0);
    for (int index = 1; index < 4; ++index) {
      paths.push_back(place.snapshot(paths.back(), std::to_string(index) + "." + extension,
                                     blocks_of(index % 2 == 0 ? 512 * kib << is_vhdx() : 2 * mib)));
      fill(index);
    }
  }

  [[nodiscard]] int is_vhdx() const { return extension == "vhdx" ? 1 : 0; }
  void fill(int index) const {
    write_and_close(place, paths.back(), static_cast<u64>(index) * mib + sector,
                    filled(mib + 2 * sector, index + 1));
  }
  [[nodiscard]] std::vector<std::byte> content(std::size_t index) const {
    return read(place.open(paths[index]), 0, disk_size);
  }
  [[nodiscard]] bool has(std::size_t index) const {
    return place.files->identity(paths[index]).has_value();
  }

  std::string extension;
  MemoryPlace place;
  std::vector<std::filesystem::path> paths;  ///< base first
};

const std::vector<std::string> extensions = {"vhd", "vhdx"};

}  // namespace

TEST_CASE("merge moves one layer by default, and the child still reads the same") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Stack stack(extension);
    const auto leaf = stack.content(3);
    const auto below = stack.content(1);
    Progress progress;
    const auto merged = merge(merge_options(stack.place, stack.paths[3]), progress);
    REQUIRE_MESSAGE(merged, merged.error().message);
    CHECK(merged->into == stack.paths[2]);
    CHECK(merged->merged_bytes == mib + 2 * sector);
    CHECK(merged->removed_files.empty());
    CHECK(stack.content(3) == leaf);
    CHECK(stack.content(2) == leaf);
    CHECK(stack.content(1) == below);
  }
}

TEST_CASE("depth, base and all choose the layer that takes everything") {
  struct Choice {
    std::optional<u32> depth;
    std::optional<std::size_t> base;
    bool all;
    std::size_t into;
  };
  const std::vector<Choice> choices = {{2, {}, false, 1}, {3, {}, false, 0}, {{}, 1, false, 1},
                                       {{}, 2, false, 2}, {{}, {}, true, 0}, {1, 0, false, 0}};
  for (const std::string& extension : extensions) {
    for (const Choice& choice : choices) {
      CAPTURE(extension);
      CAPTURE(choice.into);
      const Stack stack(extension);
      const auto leaf = stack.content(3);
      auto options = merge_options(stack.place, stack.paths[3]);
      options.depth = choice.depth;
      if (choice.base) options.base = stack.paths[*choice.base];
      options.all = choice.all;
      options.delete_children = true;
      Progress progress;
      const auto merged = merge(options, progress);
      REQUIRE_MESSAGE(merged, merged.error().message);
      CHECK(merged->into == stack.paths[choice.into]);
      CHECK(merged->removed_files.size() == 3 - choice.into);
      CHECK(stack.content(choice.into) == leaf);
      for (std::size_t index = 0; index < 4; ++index) {
        CHECK(stack.has(index) == (index <= choice.into));
      }
      CHECK(stack.place.check(stack.paths[choice.into]).clean());
    }
  }
}

TEST_CASE("a fixed base takes a merge as well") {
  for (const std::string& extension : extensions) {
    const Stack stack(extension, ImageType::fixed);
    const auto leaf = stack.content(3);
    auto options = merge_options(stack.place, stack.paths[3]);
    options.all = true;
    CHECK(outcome(options) == Errc::success);
    CHECK(stack.content(0) == leaf);
    CHECK(stack.content(3) == leaf);
  }
}

TEST_CASE("a parent smaller than the child grows, and hides nothing of the leaf's view") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Stack stack(extension);
    ExpandOptions larger;
    larger.path = stack.paths[3];
    larger.size = 9 * mib;
    larger.open = stack.place.options(Access::read_write);
    Progress progress;
    REQUIRE(expand(larger, progress));
    write_and_close(stack.place, stack.paths[3], 8 * mib, filled(mib, 9));
    const auto leaf = read(stack.place.open(stack.paths[3]), 0, 9 * mib);
    auto options = merge_options(stack.place, stack.paths[3]);
    options.all = true;
    CHECK(outcome(options) == Errc::success);
    for (const auto& path : {stack.paths[0], stack.paths[3]}) {
      CHECK(read(stack.place.open(path), 0, 9 * mib) == leaf);
      CHECK(stack.place.check(path).clean());
    }
  }
}

namespace {

/// A VHDX whose child was cut below its size and holds zeros over a part of what it shows.
struct SmallerChild {
  explicit SmallerChild(ImageType base_type) {
    Target target;
    target.type = base_type;
    base = place.create("base.vhdx", disk_size, target);
    write_and_close(place, base, 0, filled(disk_size, 1));
    child = place.snapshot(base, "child.vhdx", blocks_of(mib));
    write_and_close(place, child, mib, filled(mib, 2));
    ShrinkOptions smaller;
    smaller.path = child;
    smaller.size = 3 * mib + sector;
    smaller.allow_data_loss = true;
    smaller.open = place.options(Access::read_write);
    Progress progress;
    const auto shrunk = shrink(smaller, progress);
    REQUIRE_MESSAGE(shrunk, shrunk.error().message);
    view = read(place.open(child), 0, *smaller.size);
  }

  MemoryPlace place;
  std::filesystem::path base;
  std::filesystem::path child;
  std::vector<std::byte> view;
};

}  // namespace

TEST_CASE("a parent larger than the child is cut: what the child hid does not come back") {
  for (const ImageType type : {ImageType::dynamic, ImageType::fixed}) {
    const SmallerChild images(type);
    auto options = merge_options(images.place, images.child);
    options.delete_children = true;
    CHECK(outcome(options) == Errc::success);
    const auto merged = images.place.open(images.base);
    REQUIRE(merged.size() == images.view.size());
    CHECK(read(merged, 0, merged.size()) == images.view);
    CHECK(images.place.check(images.base).clean());
    CHECK_FALSE(images.place.files->identity(images.child).has_value());
  }
}

TEST_CASE("P13: merge into a larger parent, canceled at every step, keeps the child's view") {
  const SmallerChild images(ImageType::dynamic);
  const auto options = merge_options(images.place, images.child);
  const auto steps =
      test::cancel_at_every_step([&](Progress& progress) { return merge(options, progress); },
                                 [&] {
                                   const auto child = images.place.open(images.child);
                                   CHECK(read(child, 0, child.size()) == images.view);
                                   CHECK(images.place.check(images.base).clean());
                                   CHECK(images.place.check(images.child).clean());
                                 });
  CHECK(steps >= 3);
  CHECK(images.place.open(images.base).size() == images.view.size());
}

TEST_CASE("what cannot be merged is refused, and no file changes") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Stack stack(extension);
    std::vector<std::vector<std::byte>> before;
    for (const auto& path : stack.paths) before.push_back(stack.place.bytes(path).all());
    CHECK(outcome(merge_options(stack.place, stack.paths[0])) == Errc::wrong_disk_kind);
    auto options = merge_options(stack.place, stack.paths[3]);
    options.depth = 0;
    CHECK(outcome(options) == Errc::invalid_argument);
    options.depth = 4;
    CHECK(outcome(options) == Errc::invalid_argument);
    options.depth.reset();
    options.base = stack.paths[3];
    CHECK(outcome(options) == Errc::invalid_argument);
    options.base = "/disks/none.vhdx";
    CHECK(outcome(options) == Errc::file_not_found);
    options.base.reset();
    options.open.parents = ParentPolicy::none;
    CHECK(outcome(options) == Errc::parent_not_found);
    for (std::size_t index = 0; index < 4; ++index) {
      CHECK(stack.place.bytes(stack.paths[index]).all() == before[index]);
    }
  }
}

TEST_CASE("K-13: merging below another child is refused until it is forced") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Stack stack(extension);
    stack.place.snapshot(stack.paths[2], "sibling." + extension);
    const auto before = stack.place.bytes(stack.paths[2]).all();
    auto options = merge_options(stack.place, stack.paths[3]);
    Progress progress;
    const auto refused = merge(options, progress);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::has_children);
    CHECK(refused.error().message.find("sibling") != std::string::npos);
    CHECK(stack.place.bytes(stack.paths[2]).all() == before);
    options.force_siblings = true;
    CHECK(outcome(options) == Errc::success);
  }
}

TEST_CASE("K-13: only children of a layer whose view changes count") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Stack stack(extension);
    stack.place.snapshot(stack.paths[1], "sibling." + extension);
    auto options = merge_options(stack.place, stack.paths[3]);
    CHECK(outcome(options) == Errc::success);
    options.all = true;
    CHECK(outcome(options) == Errc::has_children);
  }
}

TEST_CASE("P13: merge, canceled at every step, keeps the leaf's view; a rerun ends") {
  for (const std::string& extension : extensions) {
    for (const u32 depth : {1U, 3U}) {
      CAPTURE(extension);
      CAPTURE(depth);
      const Stack stack(extension);
      const auto leaf = stack.content(3);
      auto options = merge_options(stack.place, stack.paths[3]);
      options.depth = depth;
      options.delete_children = true;
      const auto steps =
          test::cancel_at_every_step([&](Progress& progress) { return merge(options, progress); },
                                     [&] {
                                       CHECK(stack.content(3) == leaf);
                                       for (const auto& path : stack.paths)
                                         CHECK(stack.place.check(path).clean());
                                     });
      CHECK(steps >= 3);
      CHECK(stack.content(3 - depth) == leaf);
      CHECK(!stack.has(3));
    }
  }
}

TEST_CASE("the merged parent of a VHDX is known to the child by one id again") {
  const Stack stack("vhdx");
  CHECK(outcome(merge_options(stack.place, stack.paths[3])) == Errc::success);
  const auto child = stack.place.open(stack.paths[3]);
  const auto link = child.layer(0)->image.parent;
  REQUIRE(link);
  REQUIRE(link->accepted_ids.size() == 1);
  CHECK(link->accepted_ids.front() == child.layer(1)->image.data_write_id);
}
