// Giving up and moving the blocks of a VHDX, seen in the entries on disk.
#include "formats/vhdx/image_fixture.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;

namespace {

/// As the engine does it: everything that was freed is free afterwards.
void settle(Image& image) {
  for (int n = 0; n < 2; ++n) {
    must(image.flush());
    image.reclaim();
  }
}

/// All moves that are possible; their number.
int pack(Image& image) {
  BlockStore& store = *image.block_store();
  int moves = 0;
  for (int before = -1; before != moves;) {
    before = moves;
    while (const auto move = must(store.plan_move())) {
      REQUIRE(move->to + move->length <= move->from);
      must(image.file().copy_from(image.file(), move->from, move->to, move->length));
      must(store.commit_move(*move));
      ++moves;
    }
    settle(image);
  }
  return moves;
}

u64 size_of(const File& file) {
  return must(file.size());
}

Guid data_write_guid(const File& file) {
  return must(read_headers(file)).current.data_write_guid;
}

/// Where the BAT region is, found by the first byte of its id in the first table.
u64 bat_place(const File& file) {
  for (u64 entry = 192 * kib + 16;; entry += 32) {
    if ((peek(file, entry) & 0xFF) == 0x66) return peek(file, entry + 16);
  }
}

}  // namespace

TEST_CASE("a block that is given up is ZERO, or NOT_PRESENT over a parent, without an offset") {
  struct Case {
    ImageType type;
    State as;
    u64 entry;
  };
  const Case cases[] = {{ImageType::dynamic, State::zero, 2},
                        {ImageType::dynamic, State::absent, 2},
                        {ImageType::differencing, State::zero, 2},
                        {ImageType::differencing, State::absent, 0}};
  for (const auto& [type, as, entry] : cases) {
    CAPTURE(name(type));
    const auto file = make_image({.type = type});
    auto image = open(file);
    must(guest_write(*image, 0, pattern(2 * mib, 1)));
    must(guest_write(*image, 2 * mib, pattern(mib, 2)));
    must(image->close());
    const Guid before = data_write_guid(*file);
    image = open(file);
    CHECK(must(image->block_store()->give_up(mib, as)));
    must(image->close());
    CHECK(bat_entry(*file, 1) == entry);
    CHECK(data_write_guid(*file) == before);
    require_clean(*file);
    CHECK(guest_read(*open(file, Access::read_only), 2 * mib, mib) == pattern(mib, 2));
  }
}

TEST_CASE("stored blocks are told in the order of the disk, the last one with what it has") {
  const auto file = make_image({.size = 8 * mib - 512});
  const auto image = open(file);
  BlockStore& store = *image->block_store();
  CHECK_FALSE(must(store.next_block(0)));
  must(guest_write(*image, 7 * mib, pattern(512, 1)));
  must(guest_write(*image, 2 * mib, pattern(512, 1)));
  const auto first = must(store.next_block(0));
  REQUIRE(first);
  CHECK(first->offset == 2 * mib);
  CHECK(first->length == mib);
  const auto last = must(store.next_block(2 * mib + 1));
  REQUIRE(last);
  CHECK(last->offset == 7 * mib);
  CHECK(last->length == mib - 512);
  CHECK_FALSE(must(store.next_block(7 * mib + 1)));
}

TEST_CASE("a sector bitmap goes with the last block that needs it, and moves like a block") {
  const auto file = make_image({.type = ImageType::differencing});
  {
    const auto image = open(file);
    must(guest_write(*image, 0, pattern(mib, 1)));         // 4 MiB
    must(guest_write(*image, 5 * mib, pattern(4096, 2)));  // 5 MiB, bitmap at 6 MiB
    must(image->close());
  }
  REQUIRE(bat_entry(*file, 4096) == (6 * mib | 6));
  {
    const auto image = open(file);
    CHECK(must(image->block_store()->give_up(0, State::zero)));
    must(image->block_store()->give_up_unused());
    settle(*image);
    CHECK(pack(*image) == 1);
    must(image->close());
  }
  CHECK(bat_entry(*file, 4096) == (4 * mib | 6));
  CHECK(size_of(*file) == 6 * mib);
  require_clean(*file);
  auto image = open(file);
  CHECK(guest_read(*image, 5 * mib, 4096) == pattern(4096, 2));
  CHECK(must(image->extent_at(5 * mib + 4096, mib)).state == State::absent);
  CHECK(must(image->block_store()->give_up(5 * mib, State::zero)));
  must(image->block_store()->give_up_unused());
  must(image->close());
  CHECK(bat_entry(*file, 4096) == 0);
  CHECK(size_of(*file) == 4 * mib);
  require_clean(*file);
}

TEST_CASE("places that entries remember are given up, and what they read as stays") {
  for (const u64 state : {1U, 3U}) {
    const auto file = make_image({});
    {
      const auto image = open(file);
      must(guest_write(*image, 0, pattern(2 * mib, 1)));
      must(image->close());
    }
    poke(*file, bat_offset + 8, 5 * mib | state);  // block 1 unmapped, its place remembered
    const auto image = open(file);
    must(image->block_store()->give_up_unused());
    must(image->close());
    CHECK(bat_entry(*file, 1) == state);
    CHECK(size_of(*file) == 5 * mib);
    CHECK(guest_read(*open(file, Access::read_only), mib, mib) == std::vector<std::byte>(mib));
    require_clean(*file);
  }
}

TEST_CASE("a BAT at the end of the file moves down, through both region tables") {
  const auto file = make_image({.size = 4 * mib});
  {
    const auto image = open(file);
    must(guest_write(*image, 0, pattern(4 * mib, 1)));
    must(image->expand(300 * gib));  // the table moves behind the blocks
    must(guest_write(*image, 300 * gib - mib, pattern(mib, 2)));
    must(image->close());
  }
  REQUIRE(bat_place(*file) == 8 * mib);
  const Guid before = data_write_guid(*file);
  {
    const auto image = open(file);
    BlockStore& store = *image->block_store();
    for (u64 n = 0; n < 4; ++n) CHECK(must(store.give_up(n * mib, State::zero)));
    settle(*image);
    CHECK(pack(*image) == 1);
    must(image->close());
  }
  CHECK(bat_place(*file) < 8 * mib);
  CHECK(size_of(*file) == 7 * mib);  // header, log, metadata; one block; three MiB of table
  CHECK(data_write_guid(*file) == before);
  require_clean(*file);
  const auto image = open(file, Access::read_only);
  CHECK(guest_read(*image, 300 * gib - mib, mib) == pattern(mib, 2));
  CHECK(guest_read(*image, 0, 4 * mib) == std::vector<std::byte>(4 * mib));
  const std::vector<std::byte> one = [&] {
    std::vector<std::byte> bytes(64 * kib);
    must(file->read_at(192 * kib, bytes));
    return bytes;
  }();
  std::vector<std::byte> two(64 * kib);
  must(file->read_at(256 * kib, two));
  CHECK(one == two);
}

TEST_CASE("spare room at the end is cut even if nothing else is to be done") {
  const auto file = make_image({});
  must(file->resize(50 * mib));  // as a crashed session leaves it
  const auto image = open(file);
  const auto unused = must(image->block_store()->unused_space());
  CHECK(unused.inside == 0);
  CHECK(unused.at_end == 46 * mib);
  must(image->block_store()->give_up_unused());
  must(image->close());
  CHECK(size_of(*file) == 4 * mib);
}

TEST_CASE("an unplanned move is refused, and a fixed image has no blocks to move") {
  const auto file = make_image({});
  const auto image = open(file);
  CHECK(image->block_store()->commit_move({8 * mib, 4 * mib, mib}).error().code ==
        Errc::invalid_argument);
  CHECK(open(make_image({.type = ImageType::fixed}))->block_store() == nullptr);
}

TEST_CASE("X44: slots behind the last block of a child mean nothing") {
  const auto file = make_image({.type = ImageType::differencing, .size = 4 * mib});
  {
    const auto image = open(file);
    must(guest_write(*image, 0, pattern(mib, 1)));
    must(image->close());
  }
  poke(*file, bat_offset + 8 * 4, 4 * mib | 6);  // names the place of block 0
  poke(*file, bat_offset + 8 * 5, 3 * mib | 7);
  require_clean(*file);
  const auto image = open(file);
  CHECK(must(image->count_blocks()).allocated == 1);
  must(guest_write(*image, mib, pattern(mib, 2)));
  CHECK_FALSE(must(image->block_store()->next_block(2 * mib)));
  must(image->close());
}
