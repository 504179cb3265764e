/// compact: what is given up, moved and cut, what has to stay, and what the result says about it.
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

constexpr u64 disk_size = 6 * mib + 512;

CompactOptions compact_options(const MemoryPlace& place, const std::filesystem::path& path) {
  CompactOptions options;
  options.path = path;
  options.open = place.options(Access::read_write);
  return options;
}

Compacted run(const CompactOptions& options) {
  Progress progress;
  auto compacted = compact(options, progress);
  if (!compacted) throw std::runtime_error(compacted.error().message);
  return *std::move(compacted);
}

Errc outcome(const CompactOptions& options) {
  Progress progress;
  const auto compacted = compact(options, progress);
  return compacted ? Errc::success : compacted.error().code;
}

u64 block_size_of(const std::string& extension) {
  return extension == "vhd" ? 512 * kib : mib;
}

Target small_blocks(const std::string& extension) {
  Target target;
  target.block_size = static_cast<u32>(block_size_of(extension));
  return target;
}

void zero_payload(const MemoryPlace& place, const std::filesystem::path& path, u64 offset,
                  u64 length) {
  write_and_close(place, path, offset, filled(length, 0));
}

/// Everything that children and other programs know an image by.
void check_same_identity(const ImageInfo& now, const ImageInfo& before) {
  CHECK(now.id == before.id);
  CHECK(now.data_write_id == before.data_write_id);
  CHECK(now.creator == before.creator);
  CHECK(now.created == before.created);
  CHECK(now.type == before.type);
  CHECK(now.geometry.block_size == before.geometry.block_size);
  CHECK(now.geometry.physical_sector_size == before.geometry.physical_sector_size);
  REQUIRE(now.parent.has_value() == before.parent.has_value());
  if (!now.parent) return;
  CHECK(now.parent->accepted_ids == before.parent->accepted_ids);
  REQUIRE(now.parent->paths.size() == before.parent->paths.size());
  for (std::size_t n = 0; n < now.parent->paths.size(); ++n) {
    CHECK(now.parent->paths[n].path == before.parent->paths[n].path);
  }
}

ImageInfo info_of(const MemoryPlace& place, const std::filesystem::path& path) {
  OpenOptions options = place.options();
  options.parents = ParentPolicy::none;
  const auto disk = Disk::open(path, options);
  REQUIRE_MESSAGE(disk, disk.error().message);
  return disk->layer(0)->image;
}

struct Subtype {
  std::string extension;
  bool child = false;
};
const std::vector<Subtype> subtypes = {
    {"vhd", false}, {"vhd", true}, {"vhdx", false}, {"vhdx", true}};

/// An image whose blocks are stored from the last to the first, so that its order is no help; every
/// third block holds zeros. A child stands on a parent that holds data in its first half.
struct Scattered {
  explicit Scattered(const Subtype& subtype) : extension(subtype.extension) {
    path = place.create("a." + extension, disk_size, small_blocks(extension));
    if (subtype.child) {
      write_and_close(place, path, 0, filled(disk_size / 2 / 512 * 512, 9));
      base = path;
      path = place.snapshot(base, "child." + extension, small_blocks(extension));
    }
    auto disk = place.open(path, Access::read_write);
    const u64 block = block_size_of(extension);
    for (u64 n = disk_size / block; n-- > 0;) {
      const int value = n % 3 == 0 ? 0 : static_cast<int>(n % 100 + 1);
      must(disk.write(n * block, filled(block, value)));
    }
    must(disk.close());
    content = read(place.open(path), 0, disk_size);
    info = info_of(place, path);
  }

  void check_unharmed() const {
    const auto disk = place.open(path);
    CHECK(read(disk, 0, disk_size) == content);
    CHECK(place.check(path).clean());
    check_same_identity(disk.layer(0)->image, info);
  }

  std::string extension;
  MemoryPlace place;
  std::filesystem::path base;
  std::filesystem::path path;
  std::vector<std::byte> content;
  ImageInfo info;
};

}  // namespace

TEST_CASE("compact gives up blocks of zeros, moves the last ones, and cuts the file") {
  for (const Subtype& subtype : subtypes) {
    for (const bool copy : {false, true}) {
      CAPTURE(subtype.extension);
      CAPTURE(subtype.child);
      CAPTURE(copy);
      const Scattered image(subtype);
      auto options = compact_options(image.place, image.path);
      options.estimate = true;
      const auto before = image.place.bytes(image.path).all();
      const auto estimate = run(options);
      CHECK(image.place.bytes(image.path).all() == before);
      options.estimate = false;
      options.copy = copy;
      const auto compacted = run(options);
      image.check_unharmed();

      const u64 block = block_size_of(image.extension);
      const u64 blocks = disk_size / block;
      CHECK(compacted.stored_blocks == blocks);
      // A VHD child hides its parent's data in the first half with zeros of its own.
      const u64 zeros = (blocks + 2) / 3;
      const bool keeps = subtype.child && image.extension == "vhd";
      CHECK(compacted.zero_blocks == (keeps ? zeros / 2 : zeros));
      CHECK(compacted.kept_zero_blocks == (keeps ? zeros - zeros / 2 : 0));
      CHECK(compacted.moved_blocks > 0);
      CHECK(compacted.old_file_size == before.size());
      CHECK(compacted.new_file_size == image.place.bytes(image.path).size());
      CHECK(compacted.reclaimed_bytes == before.size() - compacted.new_file_size);
      CHECK(compacted.reclaimed_bytes >= compacted.zero_blocks * block);
      CHECK(compacted.no_gain == NoGain::none);
      CHECK(estimate.new_file_size == compacted.new_file_size);
      CHECK(estimate.moved_blocks == compacted.moved_blocks);
      CHECK(estimate.zero_blocks == compacted.zero_blocks);

      const auto again = run(compact_options(image.place, image.path));
      CHECK(again.reclaimed_bytes == 0);
      CHECK(again.moved_blocks == 0);
      CHECK(again.no_gain == (keeps ? NoGain::zeros_hide_parent : NoGain::all_in_use));
    }
  }
}

TEST_CASE("children of a compacted parent stay valid") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    for (const bool copy : {false, true}) {
      CAPTURE(extension);
      CAPTURE(copy);
      const MemoryPlace place;
      const auto base = place.create("base." + extension, disk_size, small_blocks(extension));
      write_and_close(place, base, 0, filled(4 * mib, 1));
      zero_payload(place, base, mib, 2 * mib);
      const auto child = place.snapshot(base, "child." + extension);
      write_and_close(place, child, 3 * mib, filled(4096, 2));
      const auto content = read(place.open(child), 0, disk_size);
      auto options = compact_options(place, base);
      options.copy = copy;
      CHECK(run(options).reclaimed_bytes >= 2 * mib);
      CHECK(read(place.open(child), 0, disk_size) == content);
    }
  }
}

TEST_CASE("an image that is compact already is not changed by one byte") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto path = place.create("a." + extension, disk_size, small_blocks(extension));
    write_and_close(place, path, mib, filled(2 * mib, 1));
    const auto before = place.bytes(path).all();
    const auto compacted = run(compact_options(place, path));
    CHECK(compacted.no_gain == NoGain::all_in_use);
    CHECK(place.bytes(path).all() == before);
    const auto empty = place.create("empty." + extension, disk_size);
    CHECK(run(compact_options(place, empty)).stored_blocks == 0);
  }
}

TEST_CASE("fixed and raw disks: the reason is their type") {
  const MemoryPlace place;
  Target fixed;
  fixed.type = ImageType::fixed;
  for (const std::string name : {"a.vhd", "a.vhdx", "a.raw"}) {
    CAPTURE(name);
    const auto path = place.create(name, 4 * mib, fixed);
    write_and_close(place, path, 0, filled(mib, 1));
    const auto before = place.bytes(path).all();
    for (const bool copy : {false, true}) {
      auto options = compact_options(place, path);
      options.copy = copy;
      const auto compacted = run(options);
      CHECK(compacted.no_gain == NoGain::fixed);
      CHECK(compacted.reclaimed_bytes == 0);
      CHECK(place.bytes(path).all() == before);
    }
  }
}

TEST_CASE("space of zeros inside stored blocks goes back to the host when asked for") {
  Target fixed;
  fixed.type = ImageType::fixed;
  for (const std::string name : {"a.vhd", "a.vhdx", "a.raw", "dynamic.vhd", "dynamic.vhdx"}) {
    CAPTURE(name);
    const MemoryPlace place;
    const auto path = place.create(name, 4 * mib, name.starts_with("dynamic") ? Target() : fixed);
    write_and_close(place, path, 0, filled(2 * mib, 1));
    zero_payload(place, path, 512 * kib, mib);
    const auto before = read(place.open(path), 0, 4 * mib);
    auto options = compact_options(place, path);
    options.punch = true;
    const auto compacted = run(options);
    CHECK(compacted.punched_bytes >= mib / 2);  // a file in memory has large pages
    CHECK(compacted.new_allocated_size <= compacted.old_allocated_size - compacted.punched_bytes);
    CHECK(compacted.no_gain == NoGain::none);
    CHECK(read(place.open(path), 0, 4 * mib) == before);
    CHECK(place.check(path).clean());
    options.estimate = true;
    CHECK(outcome(options) == Errc::invalid_argument);
  }
}

TEST_CASE("a block of which a child stores nothing is given up; the parent shows through") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = place.create("base." + extension, disk_size, small_blocks(extension));
    write_and_close(place, base, 0, filled(disk_size, 1));
    const auto child = place.snapshot(base, "child." + extension, small_blocks(extension));
    write_and_close(place, child, 0, filled(4096, 2));
    write_and_close(place, child, 5 * mib, filled(4096, 2));
    auto bytes = place.bytes(child);
    // All bits of the first block are cleared by hand.
    if (extension == "vhd") {
      const u64 block = bytes.big32(bytes.big64(512 + 16));
      bytes.write(block * 512, filled(512, 0));
    } else {
      const u64 ratio = 4096;
      const u64 bitmap = bytes.little64(bytes.bat() + 8 * ratio) & ~(mib - 1);
      bytes.write(bitmap, filled(mib / 512 / 8, 0));
    }
    const auto compacted = run(compact_options(place, child));
    CHECK(compacted.zero_blocks == 1);
    CHECK(compacted.reclaimed_bytes >= block_size_of(extension));
    const auto disk = place.open(child);
    CHECK(read(disk, 0, 8192) == filled(8192, 1));
    CHECK(read(disk, 5 * mib, 4096) == filled(4096, 2));
    CHECK(disk.extent_at(0, 4096)->depth == 1);
    CHECK(place.check(child).clean());
  }
}

TEST_CASE("a partial block of zeros goes only if the parent is known to be zero there") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = place.create("base." + extension, disk_size, small_blocks(extension));
    write_and_close(place, base, 4 * mib, filled(4096, 1));
    const auto child = place.snapshot(base, "child." + extension, small_blocks(extension));
    zero_payload(place, child, mib, 512);            // over nothing
    zero_payload(place, child, 4 * mib, 512);        // over data
    zero_payload(place, child, 5 * mib + 512, 512);  // over nothing
    const auto content = read(place.open(child), 0, disk_size);
    auto options = compact_options(place, child);
    options.open.parents = ParentPolicy::none;
    const auto alone = run(options);
    CHECK(alone.zero_blocks == 0);
    CHECK(alone.no_gain == NoGain::parent_unknown);
    const auto compacted = run(compact_options(place, child));
    CHECK(compacted.zero_blocks == 2);
    CHECK(read(place.open(child), 0, disk_size) == content);
    CHECK(place.open(child).count_blocks()->allocated == 1);
    CHECK(place.check(child).clean());
  }
}

TEST_CASE("a child whose parent is lost is compacted as far as it can be") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const Scattered image({extension, true});
    must(image.place.files->remove(image.base));
    const auto compacted = run(compact_options(image.place, image.path));
    CHECK(compacted.zero_blocks == (extension == "vhd" ? 0 : 2));
    CHECK(image.place.check(image.path).clean());
  }
}

TEST_CASE("P13: compact, canceled at every step, leaves the content; a rerun ends") {
  for (const Subtype& subtype : subtypes) {
    for (const bool copy : {false, true}) {
      CAPTURE(subtype.extension);
      CAPTURE(subtype.child);
      CAPTURE(copy);
      const Scattered image(subtype);
      auto options = compact_options(image.place, image.path);
      options.estimate = true;
      const u64 smallest = run(options).new_file_size;
      options.estimate = false;
      options.copy = copy;
      const auto before = image.place.bytes(image.path).all();
      const auto steps =
          test::cancel_at_every_step([&](Progress& progress) { return compact(options, progress); },
                                     [&] {
                                       image.check_unharmed();
                                       if (copy)
                                         CHECK(image.place.bytes(image.path).all() == before);
                                     });
      CHECK(steps > 3);
      image.check_unharmed();
      CHECK(image.place.bytes(image.path).size() == smallest);
    }
  }
}

TEST_CASE("V14: a disk in a saved state is not compacted") {
  const MemoryPlace place;
  const auto path = place.create("a.vhd", disk_size);
  auto bytes = place.bytes(path);
  const std::array<std::byte, 1> saved{std::byte{1}};
  bytes.write(bytes.footer() + 84, saved);
  bytes.seal_footer();
  const auto before = bytes.all();
  CHECK(outcome(compact_options(place, path)) == Errc::wrong_state);
  CHECK(bytes.all() == before);
}

TEST_CASE("an image that somebody uses is busy") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", disk_size);
  const auto reader = place.open(path);
  CHECK(outcome(compact_options(place, path)) == Errc::busy);
}
