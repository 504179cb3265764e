/// create and convert: what is made, what is refused, and that a cancel leaves nothing behind.
#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"
#include "support/scratch_folder.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

constexpr u64 sector = 512;

CreateOptions create_options(const MemoryPlace& place, const std::filesystem::path& path) {
  CreateOptions options;
  options.target.path = path;
  options.size = 4 * mib;
  options.open = place.options();
  return options;
}

Errc refusal(const CreateOptions& options) {
  Progress progress;
  const auto made = create(options, progress);
  return made ? Errc::success : made.error().code;
}

std::vector<std::filesystem::path> names_in(const std::filesystem::path& folder) {
  return host_file_system()->list(folder).value();
}

/// A dynamic VHDX of 6 MiB on the host, with data in every block but one.
std::filesystem::path make_source(const std::filesystem::path& folder) {
  CreateOptions options;
  options.target.path = folder / "source.vhdx";
  options.target.block_size = static_cast<u32>(mib);
  options.size = 6 * mib;
  Progress progress;
  REQUIRE(create(options, progress));
  OpenOptions writable;
  writable.access = Access::read_write;
  auto disk = Disk::open(options.target.path, writable).value();
  for (const u64 block : {0U, 1U, 3U, 4U, 5U}) {
    must(disk.write(block * mib, filled(mib, static_cast<int>(block + 1))));
  }
  must(disk.close());
  return options.target.path;
}

}  // namespace

TEST_CASE("create tells what it made, with every default filled in") {
  const MemoryPlace place;
  auto options = create_options(place, "/disks/a.vhdx");
  Progress progress;
  const auto made = create(options, progress);
  REQUIRE(made);
  CHECK(made->format == "vhdx");
  CHECK(made->type == ImageType::dynamic);
  CHECK(made->block_size == 32 * mib);
  CHECK(made->virtual_size == 4 * mib);
  CHECK(made->id == place.open("/disks/a.vhdx").layer(0)->image.id);
}

TEST_CASE("create refuses what contradicts itself, and makes no file") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib);
  auto both = create_options(place, "/disks/new.vhdx");
  both.parent = base;
  both.source = base;
  CHECK(refusal(both) == Errc::invalid_argument);
  auto orphan = create_options(place, "/disks/new.vhdx");
  orphan.target.type = ImageType::differencing;
  CHECK(refusal(orphan) == Errc::invalid_argument);
  auto dynamic_child = create_options(place, "/disks/new.vhdx");
  dynamic_child.parent = base;
  dynamic_child.target.type = ImageType::dynamic;
  CHECK(refusal(dynamic_child) == Errc::invalid_argument);
  auto other_format = create_options(place, "/disks/new.vhd");
  other_format.parent = base;
  CHECK(refusal(other_format) != Errc::success);
  auto nameless = create_options(place, "/disks/new.qcow2");
  CHECK(refusal(nameless) == Errc::invalid_argument);
  auto sizeless = create_options(place, "/disks/new.vhdx");
  sizeless.size.reset();
  CHECK(refusal(sizeless) == Errc::invalid_argument);
  auto smaller = create_options(place, "/disks/new.vhdx");
  smaller.source = base;
  smaller.size = 4 * mib - sector;
  CHECK(refusal(smaller) == Errc::invalid_argument);
  CHECK(place.files->list("/disks").value().size() == 1);
}

TEST_CASE("an existing file is replaced only when asked, a source never") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib);
  const auto child = place.snapshot(base, "child.vhdx");
  auto again = create_options(place, base);
  CHECK(refusal(again) == Errc::file_exists);
  again.target.replace = true;
  again.source = child;
  CHECK(refusal(again) == Errc::same_file);
  again.source = base;
  CHECK(refusal(again) == Errc::same_file);
  again.source.reset();
  again.parent = base;
  CHECK(refusal(again) == Errc::same_file);
  again.parent.reset();
  again.size = 5 * mib;
  CHECK(refusal(again) == Errc::success);
  CHECK(place.open(base).size() == 5 * mib);
}

TEST_CASE("a source may be a chain, and the copy larger than it") {
  const MemoryPlace place;
  const auto base = place.create("base.vhd", 4 * mib);
  write_and_close(place, base, 0, filled(2 * mib, 1));
  const auto child = place.snapshot(base, "child.vhd");
  write_and_close(place, child, mib, filled(2 * mib, 2));
  auto options = create_options(place, "/disks/copy.vhdx");
  options.source = child;
  options.size = 7 * mib;
  CHECK(refusal(options) == Errc::success);
  const auto copy = place.open(options.target.path);
  CHECK(copy.size() == 7 * mib);
  CHECK(read(copy, 0, mib) == filled(mib, 1));
  CHECK(read(copy, mib, 2 * mib) == filled(2 * mib, 2));
  CHECK(read(copy, 3 * mib, 4 * mib) == filled(4 * mib, 0));
  CHECK(place.check(options.target.path).clean());
}

TEST_CASE("P13: convert, canceled at every step, leaves nothing behind; a rerun ends") {
  const test::ScratchFolder folder;
  const auto source = make_source(folder.path());
  for (const std::string name : {"copy.vhd", "copy.vhdx", "copy.raw"}) {
    CAPTURE(name);
    ConvertOptions options;
    options.source = source;
    options.target.path = folder.path() / name;
    const auto steps = test::cancel_at_every_step(
        [&](Progress& progress) { return convert(options, progress); },
        [&] {
          CHECK(names_in(folder.path()) == std::vector<std::filesystem::path>{"source.vhdx"});
        });
    CHECK(steps >= 6);
    CompareOptions compare_options;
    compare_options.a = source;
    compare_options.b = options.target.path;
    Progress progress;
    CHECK(compare(compare_options, progress).value().identical);
    REQUIRE(host_file_system()->remove(options.target.path));
  }
}

TEST_CASE("P13: convert over an existing file, canceled at every step, leaves the old one") {
  const test::ScratchFolder folder;
  const auto source = make_source(folder.path());
  ConvertOptions options;
  options.source = source;
  options.target.path = folder.path() / "copy.vhd";
  Progress progress;
  REQUIRE(convert({.source = source, .target = {.path = options.target.path}}, progress));
  const auto old = host_file_system()->identity(options.target.path).value();
  options.target.replace = true;
  test::cancel_at_every_step(
      [&](Progress& canceled) { return convert(options, canceled); },
      [&] {
        CHECK(host_file_system()->identity(options.target.path).value() == old);
        CHECK(names_in(folder.path()).size() == 2);
      });
  CHECK(host_file_system()->identity(options.target.path).value() != old);
}

TEST_CASE("P13: create and snapshot, canceled at every step, leave nothing behind") {
  const test::ScratchFolder folder;
  const auto base = make_source(folder.path());
  for (const bool child : {false, true}) {
    CreateOptions options;
    options.target.path = folder.path() / "new.vhdx";
    if (child) options.parent = base;
    if (!child) options.size = gib;
    const auto steps =
        test::cancel_at_every_step([&](Progress& progress) { return create(options, progress); },
                                   [&] { CHECK(names_in(folder.path()).size() == 1); });
    CHECK(steps >= 1);
    REQUIRE(host_file_system()->remove(options.target.path));
  }
}
