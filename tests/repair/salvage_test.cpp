// Salvage: what is read from images that are cut, overwritten, or without headers, and which ranges
// are said to be lost. Every byte of the result is either the guest's or said to be lost.
#include <algorithm>
#include <functional>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "base/checksum.h"
#include "base/same_bytes.h"
#include "repair/damaged_place.h"
#include "support/canceling_progress.h"
#include "support/forwarding_file.h"
#include "support/vhd_builder.h"
#include "support/vhdx_builder.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

const std::filesystem::path result_path = "/disks/result.raw";

struct Saved {
  Salvaged report;
  Bytes content;
};

struct Wanted {
  std::string extension = "vhd";
  std::optional<u64> size = {};
  std::optional<u32> block_size = {};
};

Result<Salvaged> try_salvage(const MemoryPlace& place, std::span<const std::byte> image,
                             const Wanted& wanted, Progress& progress) {
  const std::filesystem::path path = "/disks/broken." + wanted.extension;
  put_file(place, path, image);
  SalvageOptions options;
  options.source = path;
  options.target.path = result_path;
  options.target.replace = true;
  options.size = wanted.size;
  options.block_size = wanted.block_size;
  options.open = place.options();
  options.open.parents = ParentPolicy::beside;
  auto saved = salvage(options, progress);
  CHECK(std::ranges::equal(file_content(place, path), image));
  return saved;
}

Saved save_in(const MemoryPlace& place, std::span<const std::byte> image, const Wanted& wanted) {
  Progress progress;
  auto report = try_salvage(place, image, wanted, progress);
  REQUIRE_MESSAGE(report.has_value(), report.error().message);
  return {*std::move(report), file_content(place, result_path)};
}

Saved save(std::span<const std::byte> image, const Wanted& wanted) {
  return save_in(MemoryPlace(), image, wanted);
}

/// "0x1000+0x200 ..."
std::string lost_in(const Saved& saved) {
  std::string text;
  for (const LostRange& range : saved.report.lost) {
    text += fmt::format("{}{:#x}+{:#x}", text.empty() ? "" : " ", range.offset, range.length);
  }
  return text;
}

std::string assumed_in(const Saved& saved) {
  std::string text;
  for (const Warning& assumption : saved.report.assumptions) {
    text += (text.empty() ? "" : " ") + assumption.id;
  }
  return text;
}

bool is_lost(const Saved& saved, u64 offset) {
  return std::ranges::any_of(saved.report.lost, [offset](const LostRange& range) {
    return offset >= range.offset && offset < range.offset + range.length;
  });
}

/// Every byte is the one expected, or lost and then zero.
void check_content(const Saved& saved, const Bytes& expected) {
  REQUIRE(saved.content.size() == expected.size());
  u64 lost = 0;
  for (u64 at = 0; at < expected.size(); ++at) {
    const bool gone = is_lost(saved, at);
    lost += gone ? 1 : 0;
    const std::byte wanted = gone ? std::byte{} : expected[at];
    if (saved.content[at] != wanted) {
      FAIL_CHECK(fmt::format("byte {:#x} is wrong", at));
      return;
    }
  }
  CHECK(saved.report.lost_bytes == lost);
}

constexpr u32 block_size = 4096;
constexpr u64 block_count = 16;
constexpr u64 disk_size = block_count * block_size;

VhdBuilder small_vhd() {
  VhdBuilder builder;
  builder.footer.current_size = disk_size;
  builder.block_size = block_size;
  for (const u64 block : {0U, 1U, 5U, 15U}) {
    builder.blocks[block].data = pattern(block * block_size, block_size, 1);
  }
  return builder;
}

Bytes content_of(const VhdBuilder& builder) {
  Bytes content(builder.footer.current_size);
  for (const auto& [block, stored] : builder.blocks) {
    std::ranges::copy(stored.data, content.begin() + static_cast<long>(block * builder.block_size));
  }
  return content;
}

void clear(Bytes& bytes, u64 offset, u64 length, u8 value = 0) {
  std::fill_n(bytes.begin() + static_cast<long>(offset), length, std::byte{value});
}

}  // namespace

TEST_CASE("what can be read of every damaged image is salvaged") {
  for (const DamagedImage& image : damaged_images()) {
    CAPTURE(image.name);
    const Content before = read_content(*image.format, image.file);
    if (before.virtual_size == 0 || before.virtual_size > 64 * mib) continue;
    const MemoryPlace place;
    const Wanted wanted{.extension = std::string(image.format->name)};
    const Saved saved = save_in(place, image.file->content(), wanted);
    REQUIRE(saved.content.size() == before.virtual_size);
    for (const ContentRun& run : before.runs) {
      if (run.of_parent) continue;
      for (u64 at = run.offset; at < run.end(); at += 512) {
        const auto found = std::span(saved.content).subspan(at, 512);
        const bool same =
            run.bytes.empty()
                ? is_zero(found)
                : same_bytes(std::span(run.bytes).subspan(at - run.offset, 512), found);
        if (same && !is_lost(saved, at)) continue;
        FAIL_CHECK(fmt::format("the sector at {:#x} is not what can be read", at));
        break;
      }
    }
  }
}

TEST_CASE("vhd: a sound image is copied whole") {
  const VhdBuilder builder = small_vhd();
  const Saved saved = save(builder.build(), {});
  CHECK(lost_in(saved).empty());
  CHECK(assumed_in(saved).empty());
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: a file that was cut at any place loses what lay behind, to the byte") {
  const VhdBuilder builder = small_vhd();
  const Bytes whole = builder.build();
  for (u64 size = builder.data_begin(); size < whole.size(); size += 333) {
    CAPTURE(size);
    const Saved saved = save(std::span(whole).first(size), {});
    check_content(saved, content_of(builder));
    u64 stored_behind = 0;
    for (const u64 block : {0U, 1U, 5U, 15U}) {
      const u64 data = builder.place_of(block) + builder.bitmap_bytes();
      stored_behind += data + block_size <= size ? 0 : data + block_size - std::max(size, data);
    }
    CHECK(saved.report.lost_bytes == stored_behind);
  }
}

TEST_CASE("vhd: both footers are gone, the header is sound") {
  const VhdBuilder builder = small_vhd();
  Bytes bytes = builder.build();
  clear(bytes, 0, 512);
  clear(bytes, bytes.size() - 512, 512);
  const Saved saved = save(bytes, {});
  CHECK(assumed_in(saved) == "V2");
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: both footers have a wrong checksum") {
  const VhdBuilder builder = small_vhd();
  Bytes bytes = builder.build();
  put_u32(bytes, 64, 1);
  put_u32(bytes, bytes.size() - 512 + 64, 1);
  const Saved saved = save(bytes, {});
  CHECK(assumed_in(saved) == "V3");
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: the header has a wrong checksum") {
  const VhdBuilder builder = small_vhd();
  Bytes bytes = builder.build();
  put_u32(bytes, VhdBuilder::header_offset + 36, 1);
  const Saved saved = save(bytes, {});
  CHECK(assumed_in(saved) == "V18");
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: the header is overwritten, the size of blocks is found by the BAT") {
  VhdBuilder builder = small_vhd();
  builder.block_size = 2 * mib;
  builder.footer.current_size = 9 * mib;
  builder.blocks.clear();
  for (const u64 block : {0U, 2U, 4U}) {
    builder.blocks[block].data = pattern(block * 2 * mib, block == 4 ? mib : 2 * mib, 1);
  }
  Bytes bytes = builder.build();
  clear(bytes, VhdBuilder::header_offset, 1024, 0x66);
  const Saved saved = save(bytes, {});
  CHECK(assumed_in(saved) == "V17");
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: blocks of an unusual size can be named") {
  const VhdBuilder builder = small_vhd();
  Bytes bytes = builder.build();
  clear(bytes, VhdBuilder::header_offset, 1024, 0x66);
  const Saved saved = save(bytes, {.block_size = block_size});
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: the beginning of the file is overwritten, BAT included") {
  const VhdBuilder builder = small_vhd();
  Bytes bytes = builder.build();
  clear(bytes, VhdBuilder::table_offset, 24);
  const Saved saved = save(bytes, {});
  CHECK(lost_in(saved) == "0x0+0x6000");
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: a fixed image without its footer, and one that was cut") {
  const Bytes content = pattern(0, 64 * kib, 3);
  const Bytes whole = make_fixed_vhd(content);
  const Saved headless = save(std::span(whole).first(content.size()), {});
  CHECK(assumed_in(headless) == "V2");
  CHECK(lost_in(headless).empty());
  check_content(headless, content);
  const Saved cut = save(std::span(whole).first(40 * kib), {.size = 64 * kib});
  CHECK(lost_in(cut) == "0xa000+0x6000");
  check_content(cut, content);
}

TEST_CASE("vhd: what a child leaves to a parent that is gone is lost, not zero") {
  VhdBuilder builder = small_vhd();
  builder.footer.disk_type = 4;
  builder.parent_unique_id = {1, 2, 3};
  builder.locators = {{0x57327275, utf16le(".\\base.vhd")}};
  const Saved saved = save(builder.build(), {});
  CHECK(lost_in(saved) == "0x2000+0x3000 0x6000+0x9000");
  check_content(saved, content_of(builder));
}

TEST_CASE("vhd: a bitmap behind the end of a child's file is not taken for clear") {
  VhdBuilder builder = small_vhd();
  builder.footer.disk_type = 4;
  builder.parent_unique_id = {9, 9, 9};
  builder.parent_name = utf16be("base.vhd");
  builder.locators = {{0x57327275, utf16le(".\\base.vhd")}};
  VhdBuilder parent = small_vhd();
  parent.footer.unique_id = builder.parent_unique_id;
  for (auto& [block, stored] : parent.blocks) stored.data = pattern(block * block_size, 4096, 7);
  const MemoryPlace place;
  put_file(place, "/disks/base.vhd", parent.build());
  const Bytes whole = builder.build();
  const Saved saved = save_in(place, std::span(whole).first(builder.place_of(15)), {});
  CHECK(lost_in(saved) == "0xf000+0x1000");
  check_content(saved, content_of(builder));
}

namespace {

VhdxBuilder small_vhdx() {
  VhdxBuilder builder;
  builder.add_block(0, 0x11);
  builder.add_block(2, 0x22);
  builder.add_block(7, 0x77);
  return builder;
}

Bytes content_of(const VhdxBuilder& builder) {
  Bytes content(builder.virtual_size);
  for (u64 block = 0; block < builder.block_count(); ++block) {
    const auto entry = builder.bat.find(builder.block_index(block));
    if (entry == builder.bat.end()) continue;
    const auto stored = builder.contents.find(entry->second & ~u64{0xFFFFF});
    if (stored == builder.contents.end()) continue;
    std::ranges::copy(stored->second,
                      content.begin() + static_cast<long>(block * builder.block_size));
  }
  return content;
}

Saved save_vhdx(const VhdxBuilder& builder, const std::function<void(File&)>& damage,
                Wanted wanted = {}) {
  wanted.extension = "vhdx";
  const auto file = builder.build();
  damage(*file);
  return save(file->content(), wanted);
}

}  // namespace

TEST_CASE("vhdx: a sound image is copied whole") {
  const Saved saved = save_vhdx(small_vhdx(), [](File&) {});
  CHECK(lost_in(saved).empty());
  CHECK(assumed_in(saved).empty());
  check_content(saved, content_of(small_vhdx()));
}

TEST_CASE("vhdx: a file that was cut loses what lay behind, to the byte") {
  const VhdxBuilder builder = small_vhdx();
  const u64 end = builder.data_offset() + 3 * mib;
  const Saved inside = save_vhdx(builder, [&](File& file) { (void)file.resize(end - 1000); });
  CHECK(lost_in(inside) == "0x7ffc18+0x3e8");
  check_content(inside, content_of(builder));
  const Saved deep = save_vhdx(
      builder, [&](File& file) { (void)file.resize(builder.data_offset() + mib + 4096); });
  CHECK(lost_in(deep) == "0x201000+0xff000 0x700000+0x100000");
  check_content(deep, content_of(builder));
}

TEST_CASE("vhdx: signature and headers are gone") {
  const Saved saved = save_vhdx(small_vhdx(), [](File& file) { (void)file.zero_at(0, 192 * kib); });
  CHECK(assumed_in(saved) == "X3");
  CHECK(lost_in(saved).empty());
  check_content(saved, content_of(small_vhdx()));
}

TEST_CASE("vhdx: both region tables are gone") {
  const Saved saved =
      save_vhdx(small_vhdx(), [](File& file) { (void)file.zero_at(192 * kib, 128 * kib); });
  CHECK(assumed_in(saved) == "X23 X23");
  check_content(saved, content_of(small_vhdx()));
}

TEST_CASE("vhdx: the whole first MiB is overwritten") {
  const Saved saved =
      save_vhdx(small_vhdx(), [](File& file) { (void)file.write_at(0, filled(mib, 0x5A)); });
  CHECK(assumed_in(saved) == "X3 X23 X23");
  check_content(saved, content_of(small_vhdx()));
}

TEST_CASE("vhdx: without metadata the size is the one of what is stored") {
  const VhdxBuilder builder = small_vhdx();
  const auto damage = [&](File& file) { (void)file.zero_at(builder.metadata_offset(), 64 * kib); };
  const Saved saved = save_vhdx(builder, damage, {.block_size = mib});
  CHECK(assumed_in(saved).starts_with("X26"));
  check_content(saved, content_of(builder));
  const MemoryPlace place;
  const auto file = builder.build();
  (void)file->zero_at(builder.metadata_offset(), mib);
  Progress progress;
  const auto refused = try_salvage(place, file->content(), {.extension = "vhdx"}, progress);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Errc::block_size_invalid);
}

TEST_CASE("vhdx: entries that make no sense lose their block and nothing else") {
  VhdxBuilder builder = small_vhdx();
  builder.bat[1] = 5 * tib | 6;
  builder.bat[3] = mib | 6;  // over the log
  const Saved saved = save_vhdx(builder, [](File&) {});
  CHECK(lost_in(saved) == "0x100000+0x100000 0x300000+0x100000");
  check_content(saved, content_of(builder));
}

TEST_CASE("vhdx: a dirty log is replayed although the file was cut") {
  VhdxBuilder builder = small_vhdx();
  const u64 place = builder.data_offset() + 3 * mib;
  builder.contents[place] = filled(mib, 0x44);
  builder.log_guid = test_log_guid;
  Bytes page(4096);
  const auto put_entry = [&page](u64 index, u64 raw) {
    std::ranges::copy(little(raw, 8), page.begin() + static_cast<long>(8 * index));
  };
  for (const auto& [index, raw] : builder.bat) put_entry(index, raw);
  put_entry(1, place | 6);
  builder.log = {{.writes = {{builder.bat_offset(), page}},
                  .flushed_file_offset = place + mib,
                  .last_file_offset = place + mib}};
  Bytes expected = content_of(builder);
  std::fill_n(expected.begin() + mib, mib, std::byte{0x44});
  const Saved saved = save_vhdx(builder, [&](File& file) { (void)file.resize(place + 512 * kib); });
  CHECK(lost_in(saved) == "0x180000+0x80000");
  check_content(saved, expected);
}

TEST_CASE("a log that cannot be replayed is said to be missing") {
  VhdxBuilder builder = small_vhdx();
  builder.log_guid = test_log_guid;
  builder.log = {
      {.writes = {{builder.bat_offset() + 1, Bytes(4096)}}, .last_file_offset = 8 * mib}};
  const Saved saved = save_vhdx(builder, [](File&) {});
  CHECK(assumed_in(saved) == "X11");
  check_content(saved, content_of(builder));
}

TEST_CASE("a file of which nothing is left is refused") {
  const MemoryPlace place;
  Progress progress;
  const auto tiny = try_salvage(place, Bytes(100), {.extension = "vhdx"}, progress);
  CHECK_FALSE(tiny.has_value());
  const auto unknown = try_salvage(place, Bytes(100 * kib), {.extension = "dat"}, progress);
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().code == Errc::not_image);
}

TEST_CASE("canceled at any step, salvage leaves nothing behind") {
  const Bytes bytes = small_vhd().build();
  const MemoryPlace place;
  const u64 canceled = cancel_at_every_step(
      [&](Progress& progress) { return try_salvage(place, bytes, {}, progress); },
      [&] { CHECK_FALSE(place.files->identity(result_path).has_value()); });
  CHECK(canceled > 2);
}

namespace {

/// A file on a disk with bad sectors.
class BadSectorFile final : public ForwardingFile {
 public:
  BadSectorFile(std::shared_ptr<File> inner, u64 bad, u64 length)
      : ForwardingFile(std::move(inner)), bad_(bad), length_(length) {}

  Status read_at(u64 offset, std::span<std::byte> out) const override {
    const bool hit = offset < bad_ + length_ && bad_ < offset + out.size();
    return hit ? Status(fail_at(offset, Errc::io, "bad sector")) : inner().read_at(offset, out);
  }

 private:
  const u64 bad_;
  const u64 length_;
};

class BadDisk final : public MemoryFileSystem {
 public:
  Result<std::shared_ptr<File>> open(const std::filesystem::path& path,
                                     const FileOptions& options) override {
    auto file = MemoryFileSystem::open(path, options);
    if (!file || path != "/disks/broken.vhdx") return file;
    return std::make_shared<BadSectorFile>(*std::move(file), bad, length);
  }
  u64 bad = 0;
  u64 length = 0;
};

}  // namespace

TEST_CASE("sectors that the storage cannot read are lost, and nothing around them") {
  const VhdxBuilder builder = small_vhdx();
  const auto disk = std::make_shared<BadDisk>();
  disk->bad = builder.data_offset() + mib + 300 * kib;
  disk->length = 1000;
  MemoryPlace place;
  place.files = std::make_shared<WatchedFileSystem>(disk);
  put_file(place, "/disks/broken.vhdx", builder.build()->content());
  SalvageOptions options;
  options.source = "/disks/broken.vhdx";
  options.target.path = result_path;
  options.open = place.options();
  Progress progress;
  auto report = salvage(options, progress);
  REQUIRE_MESSAGE(report.has_value(), report.error().message);
  const Saved saved{*std::move(report), file_content(place, result_path)};
  CHECK(lost_in(saved) == "0x24b000+0x400");
  check_content(saved, content_of(builder));
}
