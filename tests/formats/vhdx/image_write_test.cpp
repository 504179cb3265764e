// Writing: the transitions of FORMATS 2.6.1, allocation, identity, and what a flush costs.
#include "base/checksum.h"
#include "formats/vhdx/image_fixture.h"
#include "support/counting_file.h"
#include "support/fault_file.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;
using vdisk::test::CountingFile;
using vdisk::test::FaultFile;
using vdisk::test::FaultyCall;

namespace {

constexpr u64 bitmap_slot = 4096;  // of chunk 0 with 1 MiB blocks of 512-byte sectors

struct Written {
  std::shared_ptr<MemoryFile> file;
  u64 entry = 0;  ///< of block 0, after the clean close
};

/// Writes into block 0, which has the state `raw` before, and closes.
Written write_block_0(ImageType type, u64 raw, u64 offset, u64 length) {
  const auto file = make_image({.type = type});
  must(file->resize(16 * mib));
  poke(*file, bat_offset, raw);
  const auto image = open(file);
  must(guest_write(*image, offset, pattern(length, 1)));
  must(image->close());
  require_clean(*file);
  return {file, bat_entry(*file, 0)};
}

Guid header_guid(const File& file, u64 field) {
  const u64 newest = peek(file, 64 * kib + 8) > peek(file, 128 * kib + 8) ? 64 * kib : 128 * kib;
  Guid guid;
  std::array<std::byte, 16> bytes;
  must(file.read_at(newest + field, bytes));
  for (std::size_t n = 0; n < 16; ++n) guid.bytes[n] = std::to_integer<u8>(bytes[n]);
  return guid;
}

}  // namespace

TEST_CASE("dynamic: every state becomes FULLY_PRESENT, the rest of the block is zero") {
  for (const u64 raw : {u64{0}, u64{1}, u64{2}, u64{3}, 8 * mib | 3}) {
    CAPTURE(raw);
    const auto [file, entry] = write_block_0(ImageType::dynamic, raw, 4096, 512);
    CHECK((entry & 7) == 6);
    const auto bytes = guest_read(*open(file, Access::read_only), 0, mib);
    std::vector<std::byte> expected(mib);
    std::ranges::copy(pattern(512, 1), expected.begin() + 4096);
    CHECK(bytes == expected);
  }
}

TEST_CASE("an anchored block goes back to its old place, which is zeroed") {
  const auto file = make_image({});
  must(file->resize(16 * mib));
  must(file->write_at(8 * mib, pattern(mib, 9)));
  poke(*file, bat_offset, 8 * mib | 3);
  const auto image = open(file);
  must(guest_write(*image, 512, pattern(512, 1)));
  must(image->close());
  CHECK(bat_entry(*file, 0) == (8 * mib | 6));
  const auto bytes = guest_read(*open(file, Access::read_only), 1024, mib - 1024);
  CHECK(bytes == std::vector<std::byte>(mib - 1024));
}

TEST_CASE("child: part of an absent block becomes PARTIALLY_PRESENT, a whole one FULLY_PRESENT") {
  const auto part = write_block_0(ImageType::differencing, 0, 4096, 512);
  CHECK((part.entry & 7) == 7);
  const u64 slot = bat_entry(*part.file, bitmap_slot);
  CHECK((slot & 7) == 6);
  CHECK(peek(*part.file, (slot & ~u64{7}) + 1) == 1);  // sector 8 is bit 0 of byte 1
  CHECK(peek(*part.file, slot & ~u64{7}) == 1 << 8);
  const auto whole = write_block_0(ImageType::differencing, 0, 0, mib);
  CHECK((whole.entry & 7) == 6);
  CHECK(bat_entry(*whole.file, bitmap_slot) == 0);
}

TEST_CASE("child: blocks that hide the parent become FULLY_PRESENT even when written in part") {
  for (const u64 raw : {u64{1}, u64{2}, u64{3}}) {
    CAPTURE(raw);
    const auto [file, entry] = write_block_0(ImageType::differencing, raw, 4096, 512);
    CHECK((entry & 7) == 6);
    const auto parent = pattern(8 * mib, 3);
    const auto bytes = guest_read(*open(file, Access::read_only), 4608, mib - 4608, parent);
    CHECK(bytes == std::vector<std::byte>(mib - 4608));
  }
}

TEST_CASE("child: a partially present block gains bits, and becomes FULLY_PRESENT as a whole") {
  const auto file = make_image({.type = ImageType::differencing});
  const auto image = open(file);
  must(guest_write(*image, 512, pattern(512, 1)));
  must(guest_write(*image, 2048, pattern(1024, 2)));
  CHECK(must(image->extent_at(512, mib)).length == 512);
  CHECK(must(image->extent_at(1024, mib)) == Extent{1024, 1024, State::absent, 0});
  CHECK(must(image->extent_at(2048, mib)).length == 1024);
  must(guest_write(*image, 0, pattern(mib, 3)));
  must(image->close());
  CHECK((bat_entry(*file, 0) & 7) == 6);
}

TEST_CASE("child: old bits of a block that becomes PARTIALLY_PRESENT do not show") {
  const auto file = make_image({.type = ImageType::differencing});
  must(file->resize(16 * mib));
  poke(*file, bat_offset + 8 * bitmap_slot, 4 * mib | 6);
  const std::vector<std::byte> ones(mib, std::byte{0xFF});
  must(file->write_at(4 * mib, ones));
  const auto image = open(file);
  must(guest_write(*image, 512, pattern(512, 1)));
  CHECK(must(image->extent_at(0, mib)) == Extent{0, 512, State::absent, 0});
  CHECK(must(image->extent_at(1024, mib - 1024)) == Extent{1024, mib - 1024, State::absent, 0});
  CHECK(peek(*file, 4 * mib + 256) == ~u64{0});  // the next block's bits are nobody's business
}

TEST_CASE("reserved space is invisible until it is committed, and shared until then") {
  const auto image = open(make_image({}));
  const Extent first = must(image->reserve(0, 512));
  const Extent second = must(image->reserve(4096, 512));
  CHECK(second.file_offset == first.file_offset + 4096);
  CHECK(must(image->extent_at(0, mib)).state == State::absent);
  must(image->commit(second));
  CHECK(must(image->extent_at(0, mib)) == Extent{0, mib, State::data, first.file_offset});
  must(image->commit(first));
}

TEST_CASE("a reservation over several absent blocks is one extent") {
  const auto image = open(make_image({}));
  const Extent extent = must(image->reserve(512, 5 * mib));
  CHECK(extent.length == 5 * mib);
  CHECK(extent.file_offset == 4 * mib + 512);
}

TEST_CASE("space inside the file is used before the file grows, and reads as zeros") {
  const auto file = make_image({});
  must(file->write_at(4 * mib, pattern(4 * mib, 5)));
  poke(*file, bat_offset, 5 * mib | 6);
  const auto image = open(file);
  const Extent extent = must(image->reserve(mib, 512));
  CHECK(extent.file_offset == 4 * mib);
  must(image->commit(extent));
  CHECK(guest_read(*image, mib, mib) == std::vector<std::byte>(mib));
}

TEST_CASE("identity: both write GUIDs change with the first write, none without one") {
  const auto file = make_image({});
  const auto before = file->content();
  {
    const auto image = open(file);
    const Guid id = image->content_id();
    const Guid next = image->next_content_id();
    CHECK(id != next);
    must(image->flush());
    must(image->close());
    CHECK(file->content() == before);
  }
  const Guid file_write = header_guid(*file, 16);
  const Guid data_write = header_guid(*file, 32);
  const auto image = open(file);
  const Guid next = image->next_content_id();
  must(guest_write(*image, 0, pattern(512, 1)));
  CHECK(image->content_id() == next);
  CHECK(image->next_content_id() == next);
  must(image->close());
  CHECK(header_guid(*file, 16) != file_write);
  CHECK(header_guid(*file, 32) != data_write);
  CHECK(header_guid(*file, 48) == Guid{});
  CHECK(open(file, Access::read_only)->info().data_write_id == next);
}

TEST_CASE("the clean close leaves equal headers and no spare room") {
  const auto file = make_image({});
  const auto image = open(file);
  must(guest_write(*image, 0, pattern(512, 1)));
  CHECK(must(file->size()) > 5 * mib);
  must(image->close());
  CHECK(must(file->size()) == 5 * mib);
  for (u64 field = 16; field < 80; field += 8) {
    CHECK(peek(*file, 64 * kib + field) == peek(*file, 128 * kib + field));
  }
  must(image->close());
  CHECK(image->reserve(0, 512).error().code == Errc::invalid_handle);
}

TEST_CASE("write-back costs no flush for each block; a guest flush costs one") {
  const auto file = std::make_shared<CountingFile>(make_image({.size = 512 * mib}));
  const auto image = open(file);
  file->reset();
  for (u64 block = 0; block < 500; ++block) {
    must(guest_write(*image, block * mib, pattern(4096, 1)));
  }
  CHECK(file->counts().flushes == 1);  // the header of the session
  CHECK(file->counts().writes == 500 + 1);
  must(image->flush());
  CHECK(file->counts().flushes == 3);  // the log, and the header that names it
  must(guest_write(*image, 500 * mib, pattern(4096, 1)));
  must(image->flush());
  CHECK(file->counts().flushes == 4);
}

TEST_CASE("18 allocating writes with 6 guest flushes cost at most 15 flushes, open to close") {
  const auto file = std::make_shared<CountingFile>(make_image({.size = 64 * mib}));
  const auto image = open(file);
  for (u64 block = 0; block < 18; ++block) {
    must(guest_write(*image, block * mib, pattern(4096, 1)));
    if (block % 3 == 2) must(image->flush());
  }
  must(image->close());
  CHECK(file->counts().flushes <= 15);
  MESSAGE("flushes: " << file->counts().flushes);
}

TEST_CASE("a guest flush after every allocating write costs at most 2 flushes and 4 writes") {
  for (const auto type : {ImageType::dynamic, ImageType::differencing}) {
    const auto file = std::make_shared<CountingFile>(make_image({.type = type, .size = 128 * mib}));
    const auto image = open(file);
    must(guest_write(*image, 0, pattern(4096, 1)));
    must(image->flush());
    file->reset();
    constexpr u64 rounds = 100;
    for (u64 block = 1; block <= rounds; ++block) {
      must(guest_write(*image, block * mib, pattern(4096, 1)));
      must(image->flush());
    }
    MESSAGE(name(type) << ": flushes " << file->counts().flushes << ", writes "
                       << file->counts().writes);
    CHECK(file->counts().flushes <= 2 * rounds);
    CHECK(file->counts().writes <= 4 * rounds + 2);  // the log wraps twice
  }
}

TEST_CASE("an unpublished image is written without flushes and without a log") {
  const auto memory = make_image({.size = 64 * mib});
  const auto file = std::make_shared<CountingFile>(memory);
  const auto image = open(file, Access::read_write, {.durability = Durability::unpublished});
  const Guid id = image->content_id();
  CHECK(image->next_content_id() == id);
  const auto data = pattern(20 * mib, 1);
  must(guest_write(*image, 3 * mib, data));
  must(image->flush());
  must(image->close());
  CHECK(file->counts().flushes == 0);
  std::vector<std::byte> log(mib);
  must(memory->read_at(mib, log));
  CHECK(is_zero(log));
  require_clean(*memory);
  const auto again = open(memory, Access::read_only);
  CHECK(again->content_id() == id);
  CHECK(guest_read(*again, 3 * mib, data.size()) == data);
}

TEST_CASE("discard: whole blocks only, ZERO or UNMAPPED, never transparent in a child") {
  for (const auto type : {ImageType::dynamic, ImageType::differencing}) {
    CAPTURE(name(type));
    const auto file = make_image({.type = type});
    const auto image = open(file);
    must(guest_write(*image, 0, pattern(8 * mib, 1)));
    CHECK(must(image->discard(512, mib - 512, State::zero)) == 0);
    CHECK(must(image->discard(512, mib - 512, State::absent)) == mib - 512);
    CHECK(must(image->discard(0, 2 * mib + 512, State::zero)) == 2 * mib);
    CHECK(must(image->discard(2 * mib, mib, State::absent)) == mib);
    CHECK(must(image->discard(512, 1024, State::zero)) == 1024);  // reads zero already
    must(image->close());
    CHECK(bat_entry(*file, 0) == 2);
    CHECK(bat_entry(*file, 1) == 2);
    CHECK(bat_entry(*file, 2) == 3);
    CHECK((bat_entry(*file, 3) & 7) == 6);
    require_clean(*file);
  }
}

TEST_CASE("discard of a child's absent block hides the parent") {
  const auto image = open(make_image({.type = ImageType::differencing}));
  CHECK(must(image->discard(0, mib, State::zero)) == mib);
  CHECK(must(image->discard(mib, mib, State::absent)) == mib);
  CHECK(must(image->extent_at(0, 8 * mib)) == Extent{0, 2 * mib, State::zero, 0});
}

TEST_CASE("discard of a fixed image: zeros must be written, the rest is nothing to do") {
  const auto file = make_image({.type = ImageType::fixed});
  const auto before = file->content();
  const auto image = open(file);
  CHECK(must(image->discard(0, 8 * mib, State::zero)) == 0);
  CHECK(must(image->discard(0, 8 * mib, State::absent)) == 8 * mib);
  must(image->close());
  CHECK(file->content() == before);
}

TEST_CASE("the last block counts as whole when the range ends with the disk") {
  const auto file = make_image({.size = 9 * mib, .block_size = 2 * mib});
  const auto image = open(file);
  must(guest_write(*image, 8 * mib, pattern(mib, 1)));
  CHECK(must(image->discard(8 * mib, mib, State::zero)) == mib);
  must(image->close());
  CHECK(bat_entry(*file, 4) == 2);
}

TEST_CASE("freed space is used again only after the freeing is durable and was reclaimed") {
  const auto file = std::make_shared<CountingFile>(make_image({}));
  const auto image = open(file);
  must(guest_write(*image, 0, pattern(mib, 1)));
  must(image->flush());
  const u64 freed = must(image->extent_at(0, mib)).file_offset;
  CHECK(must(image->discard(0, mib, State::zero)) == mib);
  CHECK(must(image->reserve(mib, 512)).file_offset != freed);
  must(image->flush());  // logged and in place
  CHECK(must(image->reserve(2 * mib, 512)).file_offset != freed);
  must(image->flush());  // the tail has passed it
  CHECK(must(image->reserve(3 * mib, 512)).file_offset != freed);
  image->reclaim();
  must(image->flush());
  CHECK(file->counts().punched_bytes == mib);
  CHECK(must(image->reserve(4 * mib, 512)).file_offset == freed);
}

TEST_CASE("a failed flush poisons: nothing is written any more, reads go on") {
  const auto file = std::make_shared<FaultFile>(make_image({}));
  const auto image = open(file);
  const auto data = pattern(4096, 1);
  must(guest_write(*image, 0, data));
  file->inject({.call = FaultyCall::flush});
  CHECK_FALSE(image->flush().has_value());
  CHECK(image->flush().error().code == Errc::poisoned);
  CHECK(image->reserve(0, 512).error().code == Errc::poisoned);
  CHECK(image->commit({0, 512, State::data, 0}).error().code == Errc::poisoned);
  CHECK(image->discard(0, mib, State::zero).error().code == Errc::poisoned);
  CHECK(image->close().error().code == Errc::poisoned);
  CHECK(guest_read(*image, 0, 4096) == data);
}

TEST_CASE("a write that fails once does no harm: everything goes on afterwards") {
  for (u64 index = 0;; ++index) {
    CAPTURE(index);
    const auto memory = make_image({.type = ImageType::differencing, .size = 64 * mib});
    const auto file = std::make_shared<FaultFile>(memory);
    const auto image = open(file);
    const auto first = pattern(3 * mib, 1);
    const auto second = pattern(4096, 2);
    const auto script = [&]() -> Status {
      if (auto done = guest_write(*image, mib, first); !done) return done;
      if (auto done = image->flush(); !done) return done;
      if (auto done = guest_write(*image, 8 * mib + 512, second); !done) return done;
      if (auto done = guest_zero(*image, mib, mib); !done) return done;
      return image->flush();
    };
    file->inject({.call = FaultyCall::write, .index = index, .code = Errc::no_space});
    const bool failed = !script().has_value();
    if (file->failures() == 0) break;
    CHECK(failed);
    file->heal();
    must(script());
    must(image->close());
    require_clean(*memory);
    const auto again = open(memory, Access::read_only);
    CHECK(guest_read(*again, mib, mib) == std::vector<std::byte>(mib));
    CHECK(guest_read(*again, 2 * mib, 2 * mib) ==
          std::vector<std::byte>(first.begin() + mib, first.end()));
    CHECK(guest_read(*again, 8 * mib + 512, 4096) == second);
  }
}

TEST_CASE("sequence numbers do not wrap") {
  const auto file = make_image({});
  const auto image = open(file);
  Header header;
  header.sequence_number = ~u64{0};
  header.log_length = mib;
  header.log_offset = mib;
  must(file->write_at(64 * kib, encode(header)));
  CHECK_FALSE(open_image(file, {.access = Access::read_write}).has_value());
}
