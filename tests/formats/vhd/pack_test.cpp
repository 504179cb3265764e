/// Giving up and moving the blocks of a VHD, seen in the BAT on disk.
#include "image_access.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u32 block_size = 4096;

VhdBuilder eight_blocks(u32 disk_type, bool aligned) {
  VhdBuilder builder;
  builder.footer.disk_type = disk_type;
  builder.footer.current_size = 8 * block_size;
  builder.block_size = block_size;
  builder.align_data = aligned;
  for (u64 n = 0; n < 8; ++n) builder.blocks[7 - n].data = pattern(n * block_size, block_size, n);
  if (disk_type == 4) {
    builder.parent_unique_id[0] = 1;
    builder.locators = {{0x57327275, utf16le(".\\base.vhd")}};
  }
  return builder;
}

std::vector<BlockMove> pack(Image& image) {
  BlockStore& store = *image.block_store();
  std::vector<BlockMove> moves;
  while (const auto move = *store.plan_move()) {
    REQUIRE(image.file().copy_from(image.file(), move->from, move->to, move->length));
    REQUIRE(store.commit_move(*move));
    moves.push_back(*move);
  }
  REQUIRE(image.flush());
  image.reclaim();
  return moves;
}

void give_up(Image& image, u64 block) {
  REQUIRE(*image.block_store()->give_up(block * block_size, State::zero));
}

}  // namespace

TEST_CASE("the last blocks of a VHD move into the first holes, with their bitmaps") {
  for (const bool aligned : {true, false}) {
    CAPTURE(aligned);
    const auto file = memory_file(eight_blocks(3, aligned).build());
    Bytes content = read_all(*open_sound(file));
    {
      const auto image = open_sound(file, Access::read_write);
      for (const u64 block : {0U, 3U, 5U}) {
        give_up(*image, block);
        std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(block * block_size), block_size,
                    std::byte{});
      }
      REQUIRE(image->flush());
      image->reclaim();
      const auto moves = pack(*image);
      REQUIRE(moves.size() == 2);  // blocks 7 and 6, to where 0 and 3 were
      for (const BlockMove& move : moves) {
        CHECK(move.length == block_size + 512);
        if (aligned) CHECK((move.to + 512) % 4096 == 0);
      }
      REQUIRE(image->close());
    }
    CHECK(read_all(*open_sound(file)) == content);
    const u64 stride = aligned ? 8192 : block_size + 512;
    CHECK(*file->size() < eight_blocks(3, aligned).build().size() - 2 * stride);
    CheckReport report;
    REQUIRE(vhd::format.check(*file, report));
    CHECK(report.clean());
    CHECK(report.blocks_allocated == 5);
  }
}

TEST_CASE("a child cannot say zero; what it does not store goes back to the parent") {
  const auto file = memory_file(eight_blocks(4, false).build());
  const auto image = open_sound(file, Access::read_write);
  BlockStore& store = *image->block_store();
  CHECK_FALSE(*store.give_up(0, State::zero));
  CHECK(image->extent_at(0, block_size)->state == State::data);
  CHECK(*store.give_up(0, State::absent));
  CHECK(image->extent_at(0, block_size)->state == State::absent);
  const auto next = *store.next_block(0);
  REQUIRE(next);
  CHECK(next->offset == block_size);
  CHECK(next->file_bytes == block_size + 512);
  REQUIRE(image->close());
}

TEST_CASE("unused space of a VHD is told before and after") {
  const auto file = memory_file(eight_blocks(3, false).build());
  const auto image = open_sound(file, Access::read_write);
  BlockStore& store = *image->block_store();
  CHECK(store.unused_space()->inside == 0);
  give_up(*image, 4);
  REQUIRE(image->flush());
  image->reclaim();
  CHECK(store.unused_space()->inside == block_size + 512);
  CHECK_FALSE(store.commit_move({8192, 4096, block_size + 512}));
}
