// Metadata items: list, get, set, remove; limits, growth of the region, identity, power loss.
#include "formats/vhdx/ids.h"
#include "formats/vhdx/image_fixture.h"
#include "support/crash_file.h"
#include "support/vhdx_builder.h"
#include "vdisk/metadata.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;

namespace {

using Bytes = std::vector<std::byte>;
const Guid first_id{{0xAA, 1}};
const Guid second_id{{0xBB, 2}};

Guid numbered(u32 number) {
  return Guid{{0xCC, static_cast<u8>(number >> 8), static_cast<u8>(number)}};
}

MetadataItems& items(Image& image) {
  MetadataItems* found = image.metadata_items();
  REQUIRE(found != nullptr);
  return *found;
}

std::shared_ptr<MemoryFile> clone(const File& file) {
  return static_cast<const MemoryFile&>(file).clone();
}

/// What a user item holds in a file that was closed; none when there is no such item.
std::optional<Bytes> stored(const File& file, const Guid& id) {
  const auto image = open(clone(file), Access::read_only);
  auto content = items(*image).get({.id = id});
  if (content) return *std::move(content);
  CHECK(content.error().code == Errc::not_found);
  return std::nullopt;
}

u64 user_count(Image& image) {
  u64 count = 0;
  for (const auto& item : items(image).list()) count += item.is_user ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("items are set, replaced, read back and removed, durably") {
  const auto file = make_image({});
  auto image = open(file);
  const Guid content_id = image->content_id();
  const u64 system_items = items(*image).list().size();
  must(items(*image).set(first_id, pattern(100, 1), false));
  must(items(*image).set(second_id, {}, false));
  CHECK(must(items(*image).get({.id = first_id})) == pattern(100, 1));
  must(items(*image).set(first_id, pattern(5000, 2), false));
  must(image->close());
  CHECK(stored(*file, first_id) == pattern(5000, 2));
  CHECK(stored(*file, second_id) == Bytes{});
  require_clean(*file);
  image = open(file);
  CHECK(items(*image).list().size() == system_items + 2);
  must(items(*image).remove(first_id));
  CHECK(items(*image).remove(first_id).error().code == Errc::not_found);
  must(image->close());
  CHECK(!stored(*file, first_id));
  CHECK(stored(*file, second_id) == Bytes{});
  CHECK(open(file, Access::read_only)->content_id() == content_id);
  require_clean(*file);
}

TEST_CASE("items of the format are listed and read, and are no user items") {
  const auto image = open(make_image({}));
  const auto list = items(*image).list();
  REQUIRE(list.size() >= 5);
  CHECK(list[0].id == file_parameters_id);
  CHECK(list[0].is_required);
  CHECK(must(items(*image).get({.id = virtual_disk_size_id, .is_user = false})).size() == 8);
  CHECK(items(*image).get({.id = virtual_disk_size_id}).error().code == Errc::not_found);
  CHECK(items(*image).remove(virtual_disk_size_id).error().code == Errc::not_found);
}

TEST_CASE("only what the guest can see changes the content id") {
  const auto file = make_image({});
  auto image = open(file);
  const Guid before = image->content_id();
  must(items(*image).set(first_id, pattern(10, 1), false));
  CHECK(image->content_id() == before);
  must(items(*image).set(second_id, pattern(10, 1), true));
  CHECK(image->content_id() != before);
  must(image->close());
  image = open(file);
  const Guid then = image->content_id();
  must(items(*image).remove(first_id));
  CHECK(image->content_id() == then);
  must(items(*image).remove(second_id));
  CHECK(image->content_id() != then);
  must(image->close());
}

TEST_CASE("disk id and physical sector size change in place") {
  const auto file = make_image({});
  auto image = open(file);
  const Guid before = image->content_id();
  must(image->change_description({}));
  CHECK(image->content_id() == before);
  CHECK(image->change_description({.physical_sector_size = 1024}).error().code ==
        Errc::invalid_argument);
  must(image->change_description({.disk_id = second_id, .physical_sector_size = 512}));
  CHECK(image->info().id == second_id);
  CHECK(image->geometry().physical_sector_size == 512);
  must(image->close());
  const auto again = open(file, Access::read_only);
  CHECK(again->info().id == second_id);
  CHECK(again->geometry().physical_sector_size == 512);
  CHECK(again->content_id() != before);
  require_clean(*file);
}

TEST_CASE("limits: the length of an item, the number of items, a zero id") {
  const auto file = make_image({});
  const auto image = open(file);
  auto& store = items(*image);
  CHECK(store.set(first_id, Bytes(mib + 1), false).error().code == Errc::limit);
  CHECK(store.set(Guid{}, Bytes(1), false).error().code == Errc::invalid_argument);
  for (u32 number = 0; number < max_user_items; ++number) {
    must(store.set(numbered(number), pattern(700, number), false));
  }
  CHECK(user_count(*image) == max_user_items);
  CHECK(store.set(first_id, Bytes(1), false).error().code == Errc::limit);
  must(store.set(numbered(7), pattern(10, 9), false));  // replacing one is not one more
  must(image->close());
  CHECK(stored(*file, numbered(7)) == pattern(10, 9));
  CHECK(stored(*file, numbered(1023)) == pattern(700, 1023));
  require_clean(*file);
}

TEST_CASE("a region without room moves to a larger one, with everything in it") {
  const auto file = make_image({});
  auto image = open(file);
  must(guest_write(*image, 0, pattern(4096, 5)));
  must(items(*image).set(first_id, pattern(3000, 1), false));
  for (u32 number = 0; number < 6; ++number) {
    must(items(*image).set(numbered(number), pattern(mib - number, number), false));
  }
  must(guest_write(*image, 2 * mib, pattern(4096, 6)));
  must(image->close());
  require_clean(*file);
  CHECK(stored(*file, first_id) == pattern(3000, 1));
  for (u32 number = 0; number < 6; ++number) {
    CHECK(stored(*file, numbered(number)) == pattern(mib - number, number));
  }
  image = open(file);
  CHECK(guest_read(*image, 0, 4096) == pattern(4096, 5));
  CHECK(guest_read(*image, 2 * mib, 4096) == pattern(4096, 6));
  must(image->expand(image->geometry().virtual_size * 2));  // the size item has moved as well
  must(image->close());
  require_clean(*file);
}

TEST_CASE("W9: unknown items of others are kept byte for byte") {
  vdisk::test::VhdxBuilder builder;
  builder.extra_items.push_back(
      {"0E000000-1111-2222-3333-444444444444", 1, vdisk::test::filled(777, 7)});
  builder.extra_items.push_back(
      {"0F000000-1111-2222-3333-444444444444", 2, vdisk::test::filled(55, 8)});
  const auto file = builder.build();
  auto image = open(file);
  must(items(*image).set(first_id, pattern(100000, 1), false));
  must(items(*image).set(second_id, pattern(mib, 2), false));
  must(items(*image).remove(first_id));
  must(image->close());
  require_clean(*file);
  image = open(file, Access::read_only);
  const auto id = [](std::string_view text) { return *parse_guid(std::string(text)); };
  CHECK(must(items(*image).get({.id = id("0E000000-1111-2222-3333-444444444444")})) ==
        vdisk::test::filled(777, 7));
  CHECK(must(items(*image).get({.id = id("0F000000-1111-2222-3333-444444444444"),
                                .is_user = false})) == vdisk::test::filled(55, 8));
}

TEST_CASE("a read-only image refuses changes of its items") {
  const auto image = open(make_image({}), Access::read_only);
  CHECK(items(*image).set(first_id, Bytes(1), false).error().code == Errc::write_protected);
  CHECK(items(*image).remove(first_id).error().code == Errc::write_protected);
  CHECK(image->change_description({.disk_id = first_id}).error().code == Errc::write_protected);
}

TEST_CASE("a power loss while an item changes leaves the old or the new one") {
  // Through the log, written before it, and with a region that has to move.
  for (const u64 length : {u64{3000}, 200 * kib, mib}) {
    const auto start = make_image({});
    {
      const auto image = open(start);
      must(items(*image).set(first_id, pattern(2000, 1), false));
      must(items(*image).set(second_id, pattern(500, 2), false));
      must(image->close());
    }
    bool reached_end = false;
    for (u64 call = 0; !reached_end; ++call) {
      for (u32 seed = 1; seed <= 4; ++seed) {
        INFO("length " << length << ", call " << call << ", seed " << seed);
        const auto file = std::make_shared<vdisk::test::CrashFile>(*start);
        const auto image = open(file);
        file->crash_before(call, seed);
        must(items(*image).set(first_id, pattern(length, 3), false));
        const bool done = !file->crashed();
        must(image->close());
        reached_end = !file->crashed();
        file->crash_now();
        const auto left = file->remains();
        if (must(format.needs_recovery(*left))) must(format.recover(*left));
        require_clean(*left);
        CHECK(stored(*left, second_id) == pattern(500, 2));
        const auto found = stored(*left, first_id);
        REQUIRE((found == pattern(length, 3) || (found == pattern(2000, 1) && !done)));
      }
    }
  }
}
