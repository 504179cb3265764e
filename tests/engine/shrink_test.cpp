/// shrink, and expand with a partition table: what is refused, where a GPT goes, and that a cancel
/// leaves the old disk.
#include <doctest/doctest.h>

#include "resize_subtypes.h"
#include "support/canceling_progress.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

ShrinkOptions shrink_options(const MemoryPlace& place, const std::filesystem::path& path,
                             std::optional<u64> size) {
  ShrinkOptions options;
  options.path = path;
  options.size = size;
  options.open = place.options(Access::read_write);
  return options;
}

Result<Resized> run(const ShrinkOptions& options) {
  Progress progress;
  return shrink(options, progress);
}

Errc outcome(const ShrinkOptions& options) {
  const auto resized = run(options);
  return resized ? Errc::success : resized.error().code;
}

Result<Resized> grow(const MemoryPlace& place, const std::filesystem::path& path, u64 size,
                     bool fix_gpt = false) {
  ExpandOptions options;
  options.path = path;
  options.size = size;
  options.fix_gpt = fix_gpt;
  options.open = place.options(Access::read_write);
  Progress progress;
  return expand(options, progress);
}

}  // namespace

TEST_CASE("every subtype shrinks, keeps its data, and grows again with zeros") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    const MemoryPlace place;
    const auto path = make(place, subtype, large);
    {
      auto disk = place.open(path, Access::read_write);
      must(disk.write(512 * kib, filled(2 * mib, 1)));
      must(disk.write(small - 4096, filled(mib, 2)));
      must(disk.write(large - mib, filled(mib, 3)));
      must(disk.close());
    }
    const auto content = read(place.open(path), 0, small);
    const u64 file_size = place.bytes(path).size();
    auto options = shrink_options(place, path, small);
    CHECK(outcome(options) == Errc::cannot_shrink);
    CHECK(place.open(path).size() == large);
    options.allow_data_loss = true;
    const auto shrunk = run(options);
    REQUIRE_MESSAGE(shrunk, shrunk.error().message);
    CHECK(shrunk->old_size == large);
    CHECK(shrunk->new_size == small);
    CHECK(shrunk->reclaimed_bytes >= mib);
    CHECK(place.bytes(path).size() == file_size - shrunk->reclaimed_bytes);
    CHECK(place.check(path).clean());
    CHECK(place.open(path).size() == small);
    CHECK(read(place.open(path), 0, small) == content);
    const auto grown = grow(place, path, large);
    REQUIRE_MESSAGE(grown, grown.error().message);
    CHECK(read(place.open(path), 0, small) == content);
    CHECK(read(place.open(path), small, large - small) == filled(large - small, 0));
    CHECK(place.check(path).clean());
  }
}

TEST_CASE("the refusal tells where the first byte is that would be lost") {
  const MemoryPlace place;
  const auto path = make(place, {"vhdx"}, large);
  write_and_close(place, path, 4 * mib + 512, filled(512, 1));
  const auto before = place.bytes(path).all();
  const auto refused = run(shrink_options(place, path, small));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::cannot_shrink);
  CHECK(refused.error().offset == 4 * mib + 512);
  CHECK(refused.error().message.find("0x400200") != std::string::npos);
  CHECK(place.bytes(path).all() == before);
}

TEST_CASE("sizes that shrink refuses, and the present one") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    const MemoryPlace place;
    const auto path = make(place, subtype, large);
    const auto before = place.bytes(path).all();
    CHECK(outcome(shrink_options(place, path, 0)) == Errc::invalid_argument);
    CHECK(outcome(shrink_options(place, path, 2 * mib + 100)) == Errc::invalid_argument);
    CHECK(outcome(shrink_options(place, path, large + 4096)) == Errc::virtual_size_invalid);
    CHECK(outcome(shrink_options(place, path, large)) == Errc::success);
    CHECK(outcome(shrink_options(place, path, std::nullopt)) == Errc::smallest_size_unknown);
    CHECK(place.bytes(path).all() == before);
  }
}

TEST_CASE("a GPT moves with the end of the disk, there and back") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    const MemoryPlace place;
    const auto path = make(place, subtype, large, 4096);
    write_and_close(place, path, 0, disk_with_gpt(large, subtype.sector));
    CHECK(outcome(shrink_options(place, path, 2 * mib)) == Errc::shrink_would_cut_partition);
    const auto shrunk = run(shrink_options(place, path, small));
    REQUIRE_MESSAGE(shrunk, shrunk.error().message);
    CHECK(shrunk->gpt == GptPlace::moved);
    CHECK(read(place.open(path), 0, small) == disk_with_gpt(small, subtype.sector));

    const auto left = grow(place, path, large);
    REQUIRE_MESSAGE(left, left.error().message);
    CHECK(left->gpt == GptPlace::left_behind);
    const auto grown = grow(place, path, large, true);
    REQUIRE_MESSAGE(grown, grown.error().message);
    CHECK(grown->gpt == GptPlace::moved);
    CHECK(read(place.open(path), 0, large) == disk_with_gpt(large, subtype.sector));
    CHECK(grow(place, path, large, true)->gpt == GptPlace::at_end);
    CHECK(place.check(path).clean());

    const auto smallest = run(shrink_options(place, path, std::nullopt));
    REQUIRE_MESSAGE(smallest, smallest.error().message);
    CHECK(smallest->new_size == 2 * mib + 16 * kib + subtype.sector);
    CHECK(read(place.open(path), 0, smallest->new_size) ==
          disk_with_gpt(smallest->new_size, subtype.sector));
    const auto again = run(shrink_options(place, path, std::nullopt));
    CHECK(again->new_size == again->old_size);
  }
}

TEST_CASE("the partition in the way is named, and where it ends") {
  const MemoryPlace place;
  const auto path = make(place, {"vhdx"}, large);
  write_and_close(place, path, 0, disk_with_gpt(large, 512));
  const auto refused = run(shrink_options(place, path, mib));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("partition 2 'data'") != std::string::npos);
  CHECK(refused.error().message.find("0x200000") != std::string::npos);
  auto options = shrink_options(place, path, mib);
  options.allow_data_loss = true;
  const auto cut = run(options);
  REQUIRE_MESSAGE(cut, cut.error().message);
  CHECK(cut->gpt == GptPlace::left_behind);
  CHECK(place.open(path).size() == mib);
}

TEST_CASE("a damaged primary GPT is made anew before the backup moves") {
  for (const bool shrinks : {true, false}) {
    CAPTURE(shrinks);
    const MemoryPlace place;
    const u64 old_size = shrinks ? large : small;
    const u64 new_size = shrinks ? small : large;
    const auto path = make(place, {"vhdx"}, old_size);
    auto content = disk_with_gpt(old_size, 512);
    content[512 + 16] ^= std::byte{1};
    write_and_close(place, path, 0, content);
    if (!shrinks) {  // without a move nobody would find the backup any more
      const auto before = place.bytes(path).all();
      CHECK(grow(place, path, new_size).error().code == Errc::wrong_state);
      CHECK(place.bytes(path).all() == before);
    }
    const auto resized =
        shrinks ? run(shrink_options(place, path, new_size)) : grow(place, path, new_size, true);
    REQUIRE_MESSAGE(resized, resized.error().message);
    CHECK(resized->gpt == GptPlace::moved);
    CHECK(read(place.open(path), 0, new_size) == disk_with_gpt(new_size, 512));
  }
}

TEST_CASE("a GPT with both copies damaged says nothing: refused unless data may be lost") {
  const MemoryPlace place;
  const auto path = make(place, {"vhdx"}, large);
  auto content = disk_with_gpt(large, 512);
  content[512 + 16] ^= std::byte{1};
  std::fill(content.end() - 64 * 512, content.end(), std::byte{});
  write_and_close(place, path, 0, content);
  CHECK(outcome(shrink_options(place, path, small)) == Errc::cannot_shrink);
  CHECK(outcome(shrink_options(place, path, std::nullopt)) == Errc::smallest_size_unknown);
  auto options = shrink_options(place, path, small);
  options.allow_data_loss = true;
  CHECK(outcome(options) == Errc::success);
}

TEST_CASE("--fix-gpt writes over no partition and over nobody's data") {
  const MemoryPlace place;
  const auto path = make(place, {"vhdx"}, large);
  auto content = disk_with_gpt(large, 512);
  content[large - 512] ^= std::byte{1};  // the backup is gone
  write_and_close(place, path, 0, content);
  write_and_close(place, path, large - 5 * 512, filled(512, 6));
  CHECK(grow(place, path, large, true)->gpt == GptPlace::moved);  // that was in the backup's place
  CHECK(read(place.open(path), 0, large) == disk_with_gpt(large, 512));

  const auto full = make(place, {"raw", ImageType::fixed}, large);
  auto reaching =
      test::gpt_disk({.sectors = large / 512, .parts = {{64, large / 512 - 20, "all"}}});
  reaching[large - 512] ^= std::byte{1};
  write_and_close(place, full, 0, reaching);
  CHECK(grow(place, full, large, true).error().code == Errc::wrong_state);
  CHECK(read(place.open(full), 0, large) == reaching);
  CHECK(grow(place, full, large + mib, true)->gpt == GptPlace::moved);
  auto wanted =
      test::gpt_disk({.sectors = (large + mib) / 512, .parts = {{64, large / 512 - 20, "all"}}});
  const auto found = read(place.open(full), 0, large + mib);
  CHECK(std::equal(found.end() - 33 * 512, found.end(), wanted.end() - 33 * 512));
  CHECK(std::equal(found.begin(), found.begin() + 34 * 512, wanted.begin()));
}

TEST_CASE("MBR partitions are kept, and tell the smallest size") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    const MemoryPlace place;
    const auto path = make(place, subtype, large, 4096);
    std::vector<std::byte> record(4096);
    test::put_mbr(record, 0,
                  {{.type = 0x07, .first = 8, .count = static_cast<u32>(mib / subtype.sector)}});
    write_and_close(place, path, 0, record);
    CHECK(outcome(shrink_options(place, path, mib)) == Errc::shrink_would_cut_partition);
    const auto shrunk = run(shrink_options(place, path, std::nullopt));
    REQUIRE_MESSAGE(shrunk, shrunk.error().message);
    CHECK(shrunk->gpt == GptPlace::none);
    CHECK(shrunk->new_size == mib + 8 * subtype.sector);
  }
}

TEST_CASE("data where the backup of the table has to go is not overwritten") {
  const MemoryPlace place;
  const auto path = make(place, {"vhd"}, large);
  write_and_close(place, path, 0, disk_with_gpt(large, 512));
  write_and_close(place, path, small - 1024, filled(512, 5));
  const auto refused = run(shrink_options(place, path, small));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::cannot_shrink);
  CHECK(refused.error().offset == small - 1024);
  CHECK(read(place.open(path), small - 1024, 512) == filled(512, 5));
}

TEST_CASE("an image with children keeps its size; a child may not get smaller than a VHD parent") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = place.create("base." + extension, large);
    const auto child = place.snapshot(base, "child." + extension);
    const auto before = place.bytes(base).all();
    CHECK(outcome(shrink_options(place, base, small)) == Errc::has_children);
    CHECK(place.bytes(base).all() == before);
    const auto wanted = extension == "vhd" ? Errc::parent_size_mismatch : Errc::success;
    CHECK(outcome(shrink_options(place, child, small)) == wanted);
    CHECK(place.open(child).size() == (extension == "vhd" ? large : small));
    auto options = shrink_options(place, child, mib);
    options.open.parents = ParentPolicy::none;
    CHECK(outcome(options) == Errc::parent_not_found);
  }
}

TEST_CASE("a child that hides its parent's end does not show it when it grows again") {
  const MemoryPlace place;
  const auto path = make(place, {"vhdx", ImageType::differencing}, large, large);
  auto options = shrink_options(place, path, small);
  CHECK(outcome(options) == Errc::cannot_shrink);  // the parent's data would be lost to view
  options.allow_data_loss = true;
  CHECK(outcome(options) == Errc::success);
  CHECK(grow(place, path, large).error().code == Errc::parent_size_mismatch);
}

TEST_CASE("V14: a disk in a saved state is not resized") {
  const MemoryPlace place;
  for (const auto type : {ImageType::fixed, ImageType::dynamic}) {
    const auto path = make(place, {"vhd", type}, large);
    auto bytes = place.bytes(path);
    const std::array<std::byte, 1> saved{std::byte{1}};
    bytes.write(bytes.footer() + 84, saved);
    bytes.seal_footer();
    const auto before = bytes.all();
    CHECK(outcome(shrink_options(place, path, small)) == Errc::wrong_state);
    CHECK(grow(place, path, 2 * large).error().code == Errc::wrong_state);
    CHECK(bytes.all() == before);
    must(place.files->remove(path));
  }
}

TEST_CASE("resize goes both ways") {
  const MemoryPlace place;
  const auto path = make(place, {"vhdx"}, large);
  ResizeOptions options;
  options.path = path;
  options.open = place.options(Access::read_write);
  for (const u64 size : {small, small, 2 * large, large}) {
    options.size = size;
    Progress progress;
    const auto resized = resize(options, progress);
    REQUIRE_MESSAGE(resized, resized.error().message);
    CHECK(resized->new_size == size);
    CHECK(place.open(path).size() == size);
  }
}

TEST_CASE("P13: shrink, canceled at every step, leaves the old disk; a rerun ends") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    const MemoryPlace place;
    const auto path = make(place, subtype, large, 4096);
    write_and_close(place, path, 0, disk_with_gpt(large, subtype.sector));
    const auto before = place.bytes(path).all();
    const auto options = shrink_options(place, path, small);
    const auto steps =
        test::cancel_at_every_step([&](Progress& progress) { return shrink(options, progress); },
                                   [&] { CHECK(place.bytes(path).all() == before); });
    CHECK(steps >= 1);
    CHECK(place.open(path).size() == small);
  }
}
