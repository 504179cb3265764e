// VHD: rules V1 - V41 that one file alone can break, and what else check finds.
#include <functional>

#include "formats/vhd/vhd.h"
#include "repair/damaged_images.h"
#include "support/vhd_builder.h"

namespace vdisk::test {

namespace {

constexpr u64 header_at = VhdBuilder::header_offset;
constexpr u64 table_at = VhdBuilder::table_offset;
constexpr u32 block_size = 4096;
constexpr u64 block_footprint = 512 + block_size;
constexpr u64 block_count = 16;

/// 16 blocks of 4 KiB, four of them stored, the last one at the end of the file.
VhdBuilder tiny_dynamic() {
  VhdBuilder builder;
  builder.footer.current_size = block_count * block_size;
  builder.footer.geometry = {0xFF, 0xFF, 16, 255};
  builder.block_size = block_size;
  for (const u64 block : {0U, 1U, 5U, 15U}) {
    builder.blocks[block].data = pattern(block * block_size, block_size, 1);
  }
  return builder;
}

VhdBuilder tiny_child() {
  VhdBuilder builder = tiny_dynamic();
  builder.footer.disk_type = 4;
  builder.parent_unique_id = {1, 2, 3};
  builder.parent_time_stamp = 1000;
  builder.parent_name = utf16be("base.vhd");
  builder.locators = {{0x57327275, utf16le(".\\base.vhd")}, {0x57326B75, utf16le("C:\\base.vhd")}};
  builder.blocks[1].bitmap = Bytes(512);
  builder.blocks[1].bitmap[0] = std::byte{0xA5};
  return builder;
}

Bytes tiny_fixed() {
  Bytes bytes = make_fixed_vhd(pattern(0, 32 * kib, 3));
  put_u32(bytes, 32 * kib + 56, 0xFFFF10FF);
  fix_vhd_footer(bytes, 32 * kib);
  return bytes;
}

u32 sector_of(const VhdBuilder& builder, u64 block) {
  return static_cast<u32>(builder.place_of(block) / 512);
}

/// One block, whose data are a hole of the file.
std::shared_ptr<MemoryFile> file_with_hole() {
  constexpr u32 hole_size = 64 * kib;  // a page of a MemoryFile
  VhdBuilder builder = tiny_dynamic();
  builder.block_size = hole_size;
  builder.footer.current_size = hole_size;
  builder.blocks.clear();
  Bytes bytes = builder.build();
  const Bytes footer(bytes.begin(), bytes.begin() + 512);
  put_u32(bytes, table_at, hole_size / 512 - 1);
  bytes.resize(hole_size - 512);
  bytes.insert(bytes.end(), 512, std::byte{0xFF});
  bytes.resize(2 * hole_size);
  bytes.insert(bytes.end(), footer.begin(), footer.end());
  auto file = memory_file(bytes);
  if (!file->punch_at(hole_size, hole_size)) return nullptr;
  return file;
}

class Catalogue {
 public:
  using Change = std::function<void(Bytes&)>;

  void add(std::string name, Bytes bytes, std::string findings, std::string left) {
    images_.push_back({"vhd: " + std::move(name), &vhd::format, memory_file(bytes),
                       std::move(findings), std::move(left)});
  }
  void add_file(std::string name, std::shared_ptr<MemoryFile> file, std::string findings) {
    images_.push_back(
        {"vhd: " + std::move(name), &vhd::format, std::move(file), findings, findings});
  }
  /// Left as it is.
  void add_kept(std::string name, Bytes bytes, std::string findings) {
    std::string left = findings;
    add(std::move(name), std::move(bytes), std::move(findings), std::move(left));
  }
  void footers(std::string name, const VhdBuilder& builder, const std::string& findings,
               const std::function<void(Bytes&, u64)>& change) {
    Bytes bytes = builder.build();
    for (const u64 at : {u64{0}, u64{bytes.size() - 512}}) {
      change(bytes, at);
      fix_vhd_footer(bytes, at);
    }
    add_kept(std::move(name), std::move(bytes), findings);
  }
  void fixed(std::string name, const std::string& findings,
             const std::function<void(Bytes&, u64)>& change) {
    Bytes bytes = tiny_fixed();
    change(bytes, bytes.size() - 512);
    fix_vhd_footer(bytes, bytes.size() - 512);
    add_kept(std::move(name), std::move(bytes), findings);
  }
  void header(std::string name, const VhdBuilder& builder, const std::string& findings,
              const Change& change) {
    Bytes bytes = builder.build();
    change(bytes);
    fix_vhd_header(bytes, header_at);
    add_kept(std::move(name), std::move(bytes), findings);
  }
  void bytes(std::string name, const VhdBuilder& builder, std::string findings, std::string left,
             const Change& change) {
    Bytes bytes = builder.build();
    change(bytes);
    add(std::move(name), std::move(bytes), std::move(findings), std::move(left));
  }

  [[nodiscard]] std::vector<DamagedImage> take() { return std::move(images_); }

 private:
  std::vector<DamagedImage> images_;
};

void add_footers(Catalogue& images) {
  const VhdBuilder sound = tiny_dynamic();
  images.add_kept("sound dynamic", sound.build(), "");
  images.add_kept("sound child", tiny_child().build(), "");
  images.add_kept("sound fixed", tiny_fixed(), "");
  images.add_kept("1000 bytes", Bytes(1000), "error V1");
  images.bytes("both cookies gone", sound, "error V2", "error V2", [](Bytes& bytes) {
    put_text(bytes, 0, "nothing!");
    put_text(bytes, bytes.size() - 512, "nothing!");
  });
  images.bytes("end footer cut off", sound, "warning V2", "",
               [](Bytes& bytes) { bytes.erase(bytes.end() - 512, bytes.end()); });
  images.bytes("zeros behind the end footer", sound, "warning V2", "",
               [](Bytes& bytes) { bytes.resize(bytes.size() + 4096); });
  images.bytes("an odd number of bytes behind the end footer", sound, "warning V2", "",
               [](Bytes& bytes) { bytes.resize(bytes.size() + 777, std::byte{7}); });
  images.bytes("torn end footer", sound, "warning V3", "",
               [](Bytes& bytes) { std::fill(bytes.end() - 472, bytes.end() - 400, std::byte{9}); });
  images.bytes("end footer of zeros", sound, "warning V2", "",
               [](Bytes& bytes) { std::fill(bytes.end() - 512, bytes.end(), std::byte{}); });
  images.bytes("both checksums wrong", sound, "error V3", "error V3", [](Bytes& bytes) {
    put_u32(bytes, 64, 1);
    put_u32(bytes, bytes.size() - 512 + 64, 1);
  });
  images.bytes("no copy at 0", sound, "warning V16", "",
               [](Bytes& bytes) { std::fill_n(bytes.begin(), 512, std::byte{}); });
  images.bytes("torn copy at 0", sound, "warning V16", "",
               [](Bytes& bytes) { std::fill_n(bytes.begin() + 256, 256, std::byte{9}); });
  images.bytes("older copy at 0", sound, "warning V16", "", [](Bytes& bytes) {
    put_u32(bytes, 24, 77);
    fix_vhd_footer(bytes, 0);
  });
  images.bytes("another id, not yet in the end footer", sound, "warning V16", "", [](Bytes& bytes) {
    put_u8(bytes, 68, 99);
    fix_vhd_footer(bytes, 0);
  });
  images.bytes("the copy at 0 is another image's", sound, "error V16", "error V16",
               [](Bytes& bytes) {
                 put_u32(bytes, 24, 77);
                 put_u8(bytes, 68, 99);
                 fix_vhd_footer(bytes, 0);
               });
  images.bytes("a larger size in the end footer, an older header", sound, "error V16", "",
               [](Bytes& bytes) {
                 const u64 at = bytes.size() - 512;
                 put_u64(bytes, at + 48, (block_count + 9) * block_size);
                 fix_vhd_footer(bytes, at);
               });
  Bytes grown = tiny_fixed();
  grown.resize(grown.size() + 64 * kib);
  images.add("fixed, growth interrupted", grown, "info V12, warning V2", "");
  images.footers("minor version", sound, "error V4",
                 [](Bytes& bytes, u64 at) { put_u32(bytes, at + 12, 0x00010001); });
  images.footers("major version", sound, "error V4",
                 [](Bytes& bytes, u64 at) { put_u32(bytes, at + 12, 0x00020000); });
  images.footers("type 7", sound, "error V5",
                 [](Bytes& bytes, u64 at) { put_u32(bytes, at + 60, 7); });
}

void add_footer_fields(Catalogue& images) {
  const VhdBuilder sound = tiny_dynamic();
  images.footers("no features", sound, "warning V6",
                 [](Bytes& bytes, u64 at) { put_u32(bytes, at + 8, 0); });
  images.fixed("data offset of a fixed disk", "warning V7",
               [](Bytes& bytes, u64 at) { put_u64(bytes, at + 16, 512); });
  images.footers("data offset 2^63", sound, "error V8",
                 [](Bytes& bytes, u64 at) { put_u64(bytes, at + 16, u64{1} << 63); });
  images.footers("size 0", sound, "error V9, info V24, info V28, info leak",
                 [](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, 0); });
  images.footers(
      "size of half a sector more", sound, "warning V9, error V23",
      [](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, block_count * block_size + 256); });
  images.footers("3 TiB", sound, "error V10, error V23",
                 [](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, 3 * tib); });
  images.footers("2^63 bytes", sound, "error V29, error V23",
                 [](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, u64{1} << 63); });
  images.fixed("fixed, cut off", "error V11",
               [](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, 64 * kib); });
  images.fixed("fixed, room behind the disk", "info V12",
               [](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, 16 * kib); });
  images.footers("no id", sound, "warning V13", [](Bytes& bytes, u64 at) {
    for (u64 n = 0; n < 16; ++n) put_u8(bytes, at + 68 + n, 0);
  });
  images.footers("saved state 7", sound, "warning V14",
                 [](Bytes& bytes, u64 at) { put_u8(bytes, at + 84, 7); });
  images.footers("reserved bytes", sound, "info V15",
                 [](Bytes& bytes, u64 at) { put_u8(bytes, at + 300, 7); });
  images.footers("created in 2130", sound, "info V39",
                 [](Bytes& bytes, u64 at) { put_u32(bytes, at + 24, 0xFFFF0000); });
  images.footers("geometry 1/1/1", sound, "info V40",
                 [](Bytes& bytes, u64 at) { put_u32(bytes, at + 56, 0x00010101); });
}

void add_headers(Catalogue& images) {
  const VhdBuilder sound = tiny_dynamic();
  images.bytes("no cookie in the header", sound, "error V17", "error V17",
               [](Bytes& bytes) { put_u8(bytes, header_at, 0); });
  images.bytes("checksum of the header, all else confirmed", sound, "error V18", "",
               [](Bytes& bytes) { put_u32(bytes, header_at + 36, 1); });
  images.bytes("checksum of the header, a field that nothing confirms", sound,
               "error V18, warning V38", "error V18, warning V38",
               [](Bytes& bytes) { put_u8(bytes, header_at + 45, 1); });
  images.bytes("checksum of the header, and a bad block", sound, "error V18, error V26, info leak",
               "error V18, error V26, info leak", [](Bytes& bytes) {
                 put_u32(bytes, header_at + 36, 1);
                 put_u32(bytes, table_at, 1);
               });
  images.bytes("checksum of a child's header", tiny_child(), "error V18", "error V18",
               [](Bytes& bytes) { put_u32(bytes, header_at + 36, 1); });
  images.header("header version 9", sound, "error V19",
                [](Bytes& bytes) { put_u32(bytes, header_at + 24, 9); });
  images.header("a next structure", sound, "warning V20",
                [](Bytes& bytes) { put_u64(bytes, header_at + 8, 0x2000); });
  images.header("block size 3000", sound, "error V21",
                [](Bytes& bytes) { put_u32(bytes, header_at + 32, 3000); });
  images.header("BAT over the copy of the footer", sound, "error V22",
                [](Bytes& bytes) { put_u64(bytes, header_at + 16, 0); });
  images.header("BAT over the header", sound, "error V22",
                [](Bytes& bytes) { put_u64(bytes, header_at + 16, header_at + 512); });
  images.header("too few entries", sound, "error V23, info leak",
                [](Bytes& bytes) { put_u32(bytes, header_at + 28, 8); });
  images.header("2^32 - 1 entries", sound, "error V25, error V22",
                [](Bytes& bytes) { put_u32(bytes, header_at + 28, 0xFFFFFFFF); });
  VhdBuilder spare = sound;
  spare.max_table_entries = 40;
  images.bytes("spare entries in use", spare, "info V24, info V28", "info V24, info V28",
               [](Bytes& bytes) { put_u32(bytes, table_at + 20 * 4, 0xDEADBEEF); });
  images.header("stray parent fields", sound, "warning V38",
                [](Bytes& bytes) { put_u32(bytes, header_at + 56, 1); });
  VhdBuilder child = tiny_child();
  images.header("locator behind the end", child, "warning V32",
                [](Bytes& bytes) { put_u64(bytes, header_at + 576 + 16, 1 * gib); });
  images.header("reserved bytes of a locator", child, "info V33",
                [](Bytes& bytes) { put_u32(bytes, header_at + 576 + 12, 1); });
  child.locators.clear();
  child.parent_name.clear();
  images.add_kept("no path of the parent", child.build(), "warning V31");
  VhdBuilder xen = sound;
  xen.footer.creator_application = std::string("tap\0", 4);
  xen.footer.creator_version = 0x00010003;
  images.bytes("batmap that is none", xen, "info V41, warning V41", "info V41, warning V41",
               [](Bytes&) {});
}

void add_bad_blocks(Catalogue& images) {
  const VhdBuilder sound = tiny_dynamic();
  const u64 end = sound.build().size() - 512;
  images.bytes("a block over the footer copy", sound, "error V26, info leak", "info leak",
               [](Bytes& bytes) { put_u32(bytes, table_at + 4, 0); });
  images.bytes("a block over the BAT", sound, "error V26, info leak", "info leak",
               [](Bytes& bytes) { put_u32(bytes, table_at + 4, table_at / 512); });
  images.bytes("a block far behind the end", sound, "error V26, info leak", "info leak",
               [](Bytes& bytes) { put_u32(bytes, table_at + 4, 0x7FFFFFFF); });
  images.bytes(
      "a block behind the end that was not stored", sound, "error V26", "",
      [end](Bytes& bytes) { put_u32(bytes, table_at + 3 * 4, static_cast<u32>(end / 512)); });
  images.bytes("many bad blocks in a child", tiny_child(),
               "error V26, error V26, error V26, error V26", "", [](Bytes& bytes) {
                 for (const u64 index : {3U, 8U, 9U, 12U}) put_u32(bytes, table_at + index * 4, 1);
               });
  images.bytes("file cut inside the last block", sound, "warning V2, error V26", "",
               [](Bytes& bytes) { bytes.erase(bytes.end() - 512 - 1800, bytes.end()); });
  images.bytes("file cut inside the last bitmap", sound, "warning V2, error V26", "",
               [end](Bytes& bytes) { bytes.resize(end - block_size - 100); });
  images.bytes(
      "a block that reaches behind the footer", sound, "error V26, info leak", "info leak",
      [end](Bytes& bytes) { put_u32(bytes, table_at + 4, static_cast<u32>(end / 512 - 3)); });
  images.bytes("a block cut by a footer in order", sound, "error V26", "", [end](Bytes& bytes) {
    const Bytes footer(bytes.end() - 512, bytes.end());
    bytes.resize(end - 1024);
    bytes.insert(bytes.end(), footer.begin(), footer.end());
  });
}

void add_shared_blocks(Catalogue& images) {
  const VhdBuilder sound = tiny_dynamic();
  images.bytes("two entries name one block", sound, "error V27", "",
               [&](Bytes& bytes) { put_u32(bytes, table_at + 7 * 4, sector_of(sound, 5)); });
  images.bytes("two entries name one block of a child", tiny_child(), "error V27", "",
               [](Bytes& bytes) { put_u32(bytes, table_at + 7 * 4, sector_of(tiny_child(), 1)); });
  images.bytes("five entries in two places", sound, "error V27, error V27, error V27", "",
               [&](Bytes& bytes) {
                 for (const u64 index : {2U, 3U}) {
                   put_u32(bytes, table_at + index * 4, sector_of(sound, 5));
                 }
                 put_u32(bytes, table_at + 9 * 4, sector_of(sound, 0));
               });
  images.bytes("blocks that overlap in part", sound, "error V27, warning V30", "",
               [&](Bytes& bytes) { put_u32(bytes, table_at + 7 * 4, sector_of(sound, 1) + 3); });
  images.bytes("a shared, a bad and a cut block", sound,
               "warning V2, error V27, error V26, error V26", "", [&](Bytes& bytes) {
                 put_u32(bytes, table_at + 2 * 4, sector_of(sound, 1));
                 put_u32(bytes, table_at + 3 * 4, 2);
                 bytes.erase(bytes.end() - 512 - 1000, bytes.end());
               });
  images.bytes("a block over a parent locator", tiny_child(), "error V26, info leak", "info leak",
               [](Bytes& bytes) {
                 const u64 area = get_u64(bytes, header_at + 576 + 16);
                 put_u32(bytes, table_at + 1 * 4, static_cast<u32>(area / 512));
               });
}

void add_remarks(Catalogue& images) {
  VhdBuilder bitmap = tiny_dynamic();
  bitmap.blocks[1].bitmap = Bytes(512);
  images.bytes("data below clear bits", bitmap, "warning V30", "", [](Bytes&) {});
  const VhdBuilder sound = tiny_dynamic();
  images.bytes("a block that no entry names", sound, "info leak", "info leak",
               [](Bytes& bytes) { put_u32(bytes, table_at + 1 * 4, 0xFFFFFFFF); });
  images.bytes("zeros before the footer", sound, "info leak", "", [](Bytes& bytes) {
    const Bytes footer(bytes.end() - 512, bytes.end());
    bytes.insert(bytes.end() - 512, 64 * kib, std::byte{});
  });
  images.bytes("leaked data before the footer", sound, "info leak", "info leak", [](Bytes& bytes) {
    bytes.insert(bytes.end() - 512, 2 * block_footprint, std::byte{0x55});
  });
  images.add_file("a present block that is a hole", file_with_hole(), "info hole");
}

}  // namespace

std::vector<DamagedImage> damaged_vhd_images() {
  Catalogue images;
  add_footers(images);
  add_footer_fields(images);
  add_headers(images);
  add_bad_blocks(images);
  add_shared_blocks(images);
  add_remarks(images);
  return images.take();
}

}  // namespace vdisk::test
