#include "io/overlay_file.h"

#include <cstdlib>
#include <random>

#include <doctest/doctest.h>

#include "io/memory_file.h"
#include "support/counting_file.h"

using namespace vdisk;

namespace {

std::vector<std::byte> pattern(u64 length, u8 seed) {
  std::vector<std::byte> data(length);
  for (u64 index = 0; index < length; ++index) {
    data[index] = static_cast<std::byte>(index * 31 + seed + index / 509);
  }
  return data;
}

/// A hole reads as zeros, and none lies before the one that was told.
void check_holes(const File& file, const std::vector<std::byte>& bytes) {
  for (u64 offset = 0; offset < bytes.size();) {
    const auto hole = file.next_hole(offset);
    REQUIRE(hole);
    REQUIRE(hole->offset >= offset);
    REQUIRE(hole->offset + hole->length <= bytes.size());
    if (hole->length == 0) return;
    for (u64 at = hole->offset; at < hole->offset + hole->length; ++at) {
      REQUIRE(bytes[at] == std::byte{});
    }
    offset = hole->offset + hole->length;
  }
}

std::vector<std::byte> content(const File& file) {
  std::vector<std::byte> out(*file.size());
  REQUIRE(file.read_at(0, out));
  return out;
}

}  // namespace

TEST_CASE("overlay file: random changes match a flat model and never reach the base") {
  const u32 seed = std::getenv("VDISK_SEED")
                       ? static_cast<u32>(std::atoi(std::getenv("VDISK_SEED")))
                       : std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](u64 end) {
    return std::uniform_int_distribution<u64>(0, end - 1)(random);
  };
  const auto original = pattern(50000, 1);
  const auto memory = MemoryFile::with_content(original);
  const auto base = std::make_shared<test::CountingFile>(memory);
  auto overlay = *OverlayFile::create(base);
  auto model = original;
  for (int step = 0; step < 2000; ++step) {
    const u64 offset = below(60000);
    const u64 length = 1 + below(below(4) == 0 ? 30000 : 600);
    const auto grow = [&] { model.resize(std::max<u64>(model.size(), offset + length)); };
    switch (below(6)) {
      case 0:
      case 1: {
        const auto data = pattern(length, static_cast<u8>(step));
        REQUIRE(overlay->write_at(offset, data));
        grow();
        std::ranges::copy(data, model.begin() + static_cast<std::ptrdiff_t>(offset));
        break;
      }
      case 2:
        REQUIRE(overlay->zero_at(offset, length));
        grow();
        std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(offset), length, std::byte{});
        break;
      case 3: {
        REQUIRE(overlay->punch_at(offset, length));
        const u64 end = std::min<u64>(offset + length, model.size());
        for (u64 at = offset; at < end; ++at) model[at] = {};
        break;
      }
      case 4: {
        const u64 from = model.empty() ? 0 : below(model.size());
        const u64 copied = std::min<u64>(length, model.size() - from);
        if (copied == 0 || (from < offset + copied && offset < from + copied)) break;
        REQUIRE(overlay->copy_from(*overlay, from, offset, copied));
        if (model.size() < offset + copied) model.resize(offset + copied);
        std::copy_n(model.begin() + static_cast<std::ptrdiff_t>(from), copied,
                    model.begin() + static_cast<std::ptrdiff_t>(offset));
        break;
      }
      default: REQUIRE(overlay->resize(offset)); model.resize(offset);
    }
    if (step % 20 != 0) continue;
    REQUIRE(content(*overlay) == model);
    check_holes(*overlay, model);
  }
  MemoryFile written;
  u64 told = 0;
  REQUIRE(overlay->write_to(written, [&](u64 bytes) {
    told += bytes;
    return Status();
  }));
  CHECK(written.content() == model);
  CHECK(told == model.size());
  CHECK(content(*overlay) == model);
  CHECK(memory->content() == original);
  CHECK(base->counts().changes() == 0);
  CHECK(base->counts().flushes == 0);
}

TEST_CASE("overlay file: terabytes of zeros cost nothing") {
  const auto base = MemoryFile::with_content(pattern(10000, 1));
  auto overlay = *OverlayFile::create(base);
  REQUIRE(overlay->zero_at(5000, 16 * tib));
  CHECK(*overlay->size() == 16 * tib + 5000);
  std::vector<std::byte> out(8192);
  REQUIRE(overlay->read_at(8 * tib, out));
  CHECK(out == std::vector<std::byte>(8192));
  CHECK_FALSE(overlay->zero_at(~u64{0}, 2));
}

TEST_CASE("overlay file: copying inside the view reads nothing but the edges, and may be ended") {
  const auto base =
      std::make_shared<test::CountingFile>(MemoryFile::with_content(pattern(8 * mib, 1)));
  auto overlay = *OverlayFile::create(base);
  REQUIRE(overlay->copy_from(*overlay, 5 * mib + 512, mib, 2 * mib + 512));
  CHECK(base->counts().read_bytes <= 2 * 4096);
  CHECK_FALSE(overlay->copy_from(*overlay, 7 * mib, 0, 2 * mib));
  std::vector<std::byte> out(mib);
  REQUIRE(overlay->read_at(mib + 100, out));
  auto expected = pattern(8 * mib, 1);
  CHECK(std::equal(out.begin(), out.end(), expected.begin() + 5 * mib + 512 + 100));
  MemoryFile written;
  const auto ended =
      overlay->write_to(written, [](u64) { return Status(fail(Errc::canceled, "enough")); });
  CHECK(ended.error().code == Errc::canceled);
}

TEST_CASE("overlay file: what was cut off does not come back from the base") {
  const auto base = MemoryFile::with_content(pattern(10000, 1));
  auto overlay = *OverlayFile::create(base);
  REQUIRE(overlay->resize(100));
  REQUIRE(overlay->resize(10000));
  std::vector<std::byte> out(9900);
  REQUIRE(overlay->read_at(100, out));
  CHECK(out == std::vector<std::byte>(9900));
}

TEST_CASE("overlay file: holes are those of the base that were not written") {
  const auto base = std::make_shared<MemoryFile>();
  REQUIRE(base->resize(64 * mib));
  auto overlay = *OverlayFile::create(base);
  REQUIRE(overlay->write_at(10 * mib, pattern(4096, 1)));
  const auto first = overlay->next_hole(0);
  REQUIRE(first);
  CHECK(first->offset == 0);
  CHECK(first->length <= 10 * mib);
  CHECK(first->length > 0);
  const auto inside = overlay->next_hole(10 * mib);
  REQUIRE(inside);
  CHECK(inside->offset >= 10 * mib + 4096);
  CHECK(overlay->next_hole(64 * mib)->length == 0);
}
