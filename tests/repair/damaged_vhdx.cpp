// VHDX: rules X1 - X49 that one file alone can break, and what else check finds.
#include <functional>

#include "formats/vhdx/vhdx.h"
#include "repair/damaged_images.h"
#include "support/vhdx_builder.h"

namespace vdisk::test {

namespace {

/// 8 blocks of 1 MiB, three of them stored.
VhdxBuilder small_dynamic() {
  VhdxBuilder builder;
  builder.add_block(0, 0x11);
  builder.add_block(2, 0x22);
  builder.add_block(7, 0x77);
  return builder;
}

VhdxBuilder small_child() {
  VhdxBuilder builder;
  builder.has_parent = true;
  builder.add_block(0, 0x11);
  builder.add_block(3, 0x33, 7);
  builder.add_bitmap(0, filled(mib / 8, 0xF0));
  return builder;
}

/// Two chunks of 16 blocks of 256 MiB: bitmap slots lie between payload entries.
VhdxBuilder two_chunks() {
  VhdxBuilder builder;
  builder.block_size = 256 * mib;
  builder.virtual_size = 5 * gib;
  return builder;
}

/// A dirty log that sets the entry of block 1 to a stored block.
VhdxBuilder dirty() {
  VhdxBuilder builder = small_dynamic();
  const u64 place = builder.data_offset() + 3 * mib;
  builder.contents[place] = filled(mib, 0x44);
  builder.log_guid = test_log_guid;
  Bytes page(4096);
  const auto put_entry = [&page](u64 index, u64 raw) {
    const Bytes bytes = little(raw, 8);
    std::copy(bytes.begin(), bytes.end(), page.begin() + static_cast<std::ptrdiff_t>(8 * index));
  };
  for (const auto& [index, raw] : builder.bat) put_entry(index, raw);
  put_entry(1, place | 6);
  builder.log = {{.writes = {{builder.bat_offset(), page}}, .last_file_offset = place + mib}};
  return builder;
}

class Catalogue {
 public:
  using Change = std::function<void(File&)>;
  static constexpr auto nothing = [](File&) {};

  void add(std::string name, const VhdxBuilder& builder, std::string findings, std::string left,
           const Change& change = nothing) {
    auto file = builder.build();
    change(*file);
    images_.push_back({"vhdx: " + std::move(name), &vhdx::format, std::move(file),
                       std::move(findings), std::move(left)});
  }
  /// Left as it is.
  void keep(std::string name, const VhdxBuilder& builder, const std::string& findings,
            const Change& change = nothing) {
    add(std::move(name), builder, findings, findings, change);
  }
  /// A header field of both slots.
  void header(std::string name, const std::string& findings, u64 field, u64 value,
              std::size_t size) {
    keep(std::move(name), small_dynamic(), findings, [&](File& file) {
      for (int slot = 0; slot < 2; ++slot) {
        poke(file, header_place[slot] + field, value, size);
        seal_header(file, slot);
      }
    });
  }
  /// A field of both region tables; entry 0 is the BAT, 1 the metadata.
  void regions(std::string name, const std::string& findings, u64 field, u64 value,
               std::size_t size) {
    keep(std::move(name), small_dynamic(), findings, [&](File& file) {
      for (int copy = 0; copy < 2; ++copy) {
        poke(file, region_table_place[copy] + field, value, size);
        seal_region_table(file, copy);
      }
    });
  }
  /// A field of the metadata region.
  void metadata(std::string name, const VhdxBuilder& builder, const std::string& findings,
                u64 offset, u64 value, std::size_t size) {
    keep(std::move(name), builder, findings,
         [&](File& file) { poke(file, builder.metadata_offset() + offset, value, size); });
  }
  /// The content of the n-th item.
  void item(std::string name, const std::string& findings, std::size_t index, u64 value,
            std::size_t size) {
    const VhdxBuilder builder = small_dynamic();
    metadata(std::move(name), builder, findings,
             builder.item_offset(index) - builder.metadata_offset(), value, size);
  }

  [[nodiscard]] std::vector<DamagedImage> take() { return std::move(images_); }

 private:
  std::vector<DamagedImage> images_;
};

constexpr u64 region_entry(u64 index, u64 field) {
  return region_field::first_entry + index * region_field::entry_size + field;
}
constexpr u64 metadata_entry(u64 index, u64 field) {
  return item_field::first_entry + index * item_field::entry_size + field;
}

void add_headers(Catalogue& images) {
  const VhdxBuilder sound = small_dynamic();
  images.keep("sound dynamic", sound, "");
  images.keep("sound child", small_child(), "");
  images.keep("half a MiB", sound, "error X1", [](File& file) { (void)file.resize(512 * kib); });
  images.add("signature gone, all else sound", sound, "error X2", "",
             [](File& file) { poke(file, 0, 0, 8); });
  images.keep("signature gone, and more", sound, "error X2, error X26", [&](File& file) {
    poke(file, 0, 0, 8);
    poke(file, sound.metadata_offset(), 0, 8);
  });
  images.keep("both headers torn", sound, "error X3, info leak", [](File& file) {
    for (const u64 place : header_place) poke(file, place + 100, 1, 1);
  });
  for (const int slot : {0, 1}) {
    images.add(slot == 0 ? "older header torn" : "newer header torn", sound, "warning X4", "",
               [slot](File& file) { poke(file, header_place[slot] + 100, 1, 1); });
  }
  VhdxBuilder twins = sound;
  twins.sequence_numbers[0] = twins.sequence_numbers[1] = 5;
  images.keep("two identical headers", twins, "info X5");
  images.add("two headers of one number that agree in what matters", twins, "error X5", "",
             [](File& file) {
               poke(file, header_place[1] + header_field::file_write_guid, 1, 8);
               seal_header(file, 1);
             });
  images.keep("two headers of one number with different logs", twins, "error X5", [](File& file) {
    poke(file, header_place[1] + header_field::log_guid, 1, 8);
    seal_header(file, 1);
  });
  images.header("version 2", "error X6", header_field::version, 2, 2);
  images.header("no log at all", "info leak", header_field::log_length, 0, 4);
  VhdxBuilder named = sound;
  named.log_guid = test_log_guid;
  images.keep("log length 0 with a log in use", named, "error X9, info leak", [](File& file) {
    for (int slot = 0; slot < 2; ++slot) {
      poke(file, header_place[slot] + header_field::log_length, 0, 4);
      seal_header(file, slot);
    }
  });
  images.header("log over the headers", "error X8, info leak", header_field::log_offset, 0, 8);
  images.header("reserved bytes of the header", "info X10", header_field::reserved, 1, 1);
}

void add_logs(Catalogue& images) {
  images.add("a dirty log", dirty(), "warning X11-dirty", "");
  images.add("a dirty log and a torn header", dirty(), "warning X11-dirty, warning X4", "",
             [](File& file) { poke(file, header_place[0] + 100, 1, 1); });
  VhdxBuilder never_written = small_dynamic();
  never_written.log_guid = test_log_guid;
  images.add("a log that was never written", never_written, "warning X11-dirty", "");
  VhdxBuilder torn = dirty();
  torn.log[0].tail = 0x8000;
  images.add("a log without an active sequence", torn, "error X11, info leak", "info leak");
  images.keep("the same, and the file does not open without it", torn, "error X11, error X26",
              [&](File& file) { poke(file, torn.metadata_offset(), 0, 8); });
  VhdxBuilder other_version = dirty();
  images.keep("log of version 1", other_version, "error X7, info leak", [](File& file) {
    for (int slot = 0; slot < 2; ++slot) {
      poke(file, header_place[slot] + header_field::log_version, 1, 2);
      seal_header(file, slot);
    }
  });
  VhdxBuilder cut = dirty();
  cut.log[0].flushed_file_offset = 100 * mib;
  images.keep("the file lost its end", cut, "error X12, info leak");
  VhdxBuilder target = dirty();
  target.log[0].writes[0].file_offset = 0;
  images.keep("a log that overwrites the headers", target, "error X14, info leak");
  VhdxBuilder huge = dirty();
  huge.log[0].last_file_offset = u64{1} << 62;
  images.keep("a log that would make the file 4 EiB long", huge, "error X15, info leak");
  VhdxBuilder broken = dirty();
  broken.log[0].writes.push_back({broken.metadata_offset(), filled(4096, 0x99)});
  images.keep("a log that breaks the metadata", broken, "warning X11-dirty, error X26");
}

void add_regions(Catalogue& images) {
  const VhdxBuilder sound = small_dynamic();
  images.keep("both region tables torn", sound, "error X16", [](File& file) {
    for (const u64 place : region_table_place) poke(file, place + 100, 1, 1);
  });
  for (const int copy : {0, 1}) {
    images.add(copy == 0 ? "region table 1 torn" : "region table 2 torn", sound, "warning X16", "",
               [copy](File& file) { poke(file, region_table_place[copy] + 100, 1, 1); });
  }
  images.add("region tables that differ", sound, "warning X17", "", [](File& file) {
    poke(file, region_table_place[1] + region_entry(0, region_field::flags), 0, 4);
    seal_region_table(file, 1);
  });
  images.add("region table 1 breaks a rule, 2 does not", sound, "error X21, warning X17", "",
             [](File& file) {
               poke(file, region_table_place[0] + region_entry(0, region_field::offset), 7, 8);
               seal_region_table(file, 0);
             });
  images.add("region table 2 breaks a rule", sound, "warning X17", "", [](File& file) {
    poke(file, region_table_place[1] + region_field::entry_count, 1, 4);
    seal_region_table(file, 1);
  });
  images.regions("reserved field of the region table", "error X18", region_field::reserved, 1, 4);
  images.regions("3000 regions", "error X18", region_field::entry_count, 3000, 4);
  images.regions("flag bits of a region", "warning X19", region_entry(0, region_field::flags), 3,
                 4);
  images.regions("a region that is not required", "info X19", region_entry(0, region_field::flags),
                 0, 4);
  images.regions("a region of no MiB", "error X21", region_entry(0, region_field::offset),
                 3 * mib + 5, 8);
  images.regions("BAT over the log", "error X22, info leak", region_entry(0, region_field::offset),
                 mib, 8);
  images.regions("no metadata region", "error X24, error X23, info X25",
                 region_entry(1, region_field::guid), 1, 8);
  VhdxBuilder twice = sound;
  twice.extra_regions = {{.guid = std::string(bat_guid), .offset = 20 * mib}};
  images.keep("BAT listed twice", twice, "error X20, info leak");
  VhdxBuilder unknown = sound;
  unknown.extra_regions = {{.guid = "AAAAAAAA-1111-2222-3333-444444444444", .offset = 8 * mib}};
  images.keep("unknown required region", unknown, "error X24, info X25, info leak");
  unknown.extra_regions[0] = {.guid = unknown.extra_regions[0].guid, .offset = 7 * mib, .flags = 0};
  images.keep("unknown region", unknown, "info X25");
}

void add_metadata(Catalogue& images) {
  const VhdxBuilder sound = small_dynamic();
  images.metadata("no signature of the metadata", sound, "error X26", 0, 0, 8);
  images.metadata("reserved bytes of the metadata table", sound, "error X26", 8, 1, 2);
  images.metadata("an unknown item in place of the parameters", sound, "error X30, error X31",
                  metadata_entry(0, item_field::guid) + 8, 0, 8);
  VhdxBuilder items = sound;
  items.extra_items = {{.guid = std::string(size_guid), .flags = 6, .content = little(mib, 8)}};
  images.keep("two sizes", items, "error X27");
  items.extra_items[0].guid = std::string(zero_guid);
  items.extra_items[0].flags = 0;
  images.keep("an optional item of id 0", items, "error X27");
  images.metadata("an item inside the table", sound, "error X28",
                  metadata_entry(1, item_field::offset), 100, 4);
  images.metadata("two items in one place", sound, "error X28",
                  metadata_entry(1, item_field::offset), 64 * kib, 4);
  images.metadata("a user item that is required", sound, "error X29, error X31",
                  metadata_entry(4, item_field::flags), 7, 4);
  items.extra_items[0] = {.guid = "AAAAAAAA-1111-2222-3333-444444444444", .flags = 4};
  images.keep("unknown required item", items, "error X30");
  images.metadata("a size of 4 bytes", sound, "error X31", metadata_entry(1, item_field::length), 4,
                  4);
  images.metadata("unusual flags of an item", sound, "warning X32",
                  metadata_entry(0, item_field::flags), 6, 4);
  images.item("block size 3 MiB", "error X33", 0, 3 * mib, 4);
  images.item("flags of the file parameters", "error X33", 0, mib | u64{8} << 32, 8);
  images.item("logical sectors of 520 bytes", "error X34", 2, 520, 4);
  images.item("a size of 1 byte", "error X35", 1, 1, 8);
  images.item("65 TiB", "error X35", 1, 65 * tib, 8);
  images.item("1 TiB in a BAT of 1 MiB", "error X36", 1, tib, 8);
}

void add_locators(Catalogue& images) {
  VhdxBuilder stray = small_dynamic();
  stray.extra_items = {
      {.guid = std::string(locator_guid), .flags = 4, .content = locator_bytes(stray.locator)}};
  images.keep("a parent locator without a parent", stray, "warning X45");
  const VhdxBuilder child = small_child();
  images.metadata("a child without a locator", child, "error X30, error X45",
                  metadata_entry(5, item_field::guid), 1, 1);
  images.metadata("a locator of another type", child, "error X46",
                  child.item_offset(5) - child.metadata_offset(), 1, 1);
  images.metadata("a locator of 500 pairs", child, "error X47",
                  child.item_offset(5) - child.metadata_offset() + 18, 500, 2);
  VhdxBuilder unlinked = child;
  unlinked.locator[0].first = wide("parent_linkagf");
  images.keep("no parent_linkage", unlinked, "error X48");
  unlinked = child;
  unlinked.locator.pop_back();
  images.keep("no path of the parent", unlinked, "error X49");
}

void add_entries(Catalogue& images) {
  const VhdxBuilder sound = small_dynamic();
  const auto with = [&sound](u64 block, u64 raw) {
    VhdxBuilder builder = sound;
    builder.bat[block] = raw;
    return builder;
  };
  const u64 stored = sound.data_offset() + mib;
  images.add("reserved bits of an entry", with(2, stored | 0x58 | 6), "error X37", "");
  images.add("reserved bits of an entry without data", with(5, 0x40), "error X37", "");
  images.add("reserved bits, and the place is another's", with(5, stored | 0x58 | 6), "error X37",
             "");
  images.keep("state 4 with a place", with(2, stored | 4), "error X38, info leak");
  images.add("state 4 without a place", with(5, 4), "error X38", "");
  images.add("state 5, once UNMAPPED", with(5, 5), "error X38", "");
  images.add("partially present without a parent", with(2, stored | 7), "error X38", "");
  images.add("a block in the header section", with(5, 6), "error X39", "");
  images.add("a block far behind the end", with(5, 5 * gib | 6), "error X39", "");
  images.add("a block at the largest offset", with(5, ~u64{0xFFFFF} | 6), "error X39", "");
  images.add("a block over the log", with(5, mib | 6), "error X40", "");
  images.add("a block over the BAT", with(5, sound.bat_offset() | 6), "error X40", "");
  images.add("two entries name one block", with(5, stored | 6), "error X40", "");
  VhdxBuilder four = with(5, stored | 6);
  four.bat[1] = four.bat[3] = sound.data_offset() | 6;
  images.add("five entries in two places", four, "error X40, error X40, error X40", "");
  VhdxBuilder cut = sound;
  images.add("file cut inside the last block", cut, "info file_size, error X39", "",
             [](File& file) { (void)file.resize(*file.size() - 600 * kib); });
  VhdxBuilder wide_blocks;
  wide_blocks.block_size = 2 * mib;
  wide_blocks.virtual_size = 16 * mib;
  const u64 first = wide_blocks.add_block(0, 0x11);
  wide_blocks.add_block(1, 0x22);
  wide_blocks.set_block(2, 6, first + mib);
  images.add("blocks that overlap in part", wide_blocks, "error X40", "");
  images.add("kept offsets", with(5, 900 * mib | 3), "info X41", "info X41");
  VhdxBuilder spare = sound;
  spare.bat[spare.entry_count()] = ~u64{0};
  images.keep("entries behind those that are needed", spare, "info X44");
}

void add_bitmaps(Catalogue& images) {
  VhdxBuilder junk = two_chunks();
  junk.set_bitmap(0, 6, 4 * mib);
  images.add("a bitmap slot in use without a parent", junk, "warning X42", "");
  const VhdxBuilder child = small_child();
  const u64 slot = child.bitmap_index(0);
  const auto with = [&child](u64 index, u64 raw) {
    VhdxBuilder builder = child;
    builder.bat[index] = raw;
    return builder;
  };
  const u64 bitmap = child.bat.at(slot) & ~u64{7};
  images.add("state 7 of a bitmap that is needed", with(slot, bitmap | 7), "error X42", "");
  images.add("reserved bits of a bitmap that is needed", with(slot, bitmap | 0x10 | 6), "error X37",
             "");
  images.keep("a bitmap that is needed behind the end", with(slot, 500 * mib | 6),
              "error X39, info leak");
  VhdxBuilder unused;
  unused.has_parent = true;
  unused.add_block(0, 0x11);
  unused.set_bitmap(0, 5, 0);
  images.add("state 5 of a bitmap that nobody needs", unused, "error X42", "");
  images.keep("no bitmap for a partially present block", with(slot, 0), "error X43, info leak");
  images.add("a bitmap that shares its MiB with a block", with(4, bitmap | 6), "error X40", "");
  images.add("bad entries of a child", with(5, 7 * gib | 7), "error X39", "");
}

void add_remarks(Catalogue& images) {
  VhdxBuilder builder = small_dynamic();
  builder.file_end = builder.data_offset() + 6 * mib;
  images.add("zeros at the end", builder, "info leak", "");
  builder.contents[builder.data_offset() + 5 * mib] = filled(512, 0x99);
  images.keep("leaked data at the end", builder, "info leak");
  VhdxBuilder odd = small_dynamic();
  images.keep("512 bytes behind the end", odd, "info file_size",
              [](File& file) { (void)file.resize(*file.size() + 512); });
  VhdxBuilder holes = small_dynamic();
  holes.contents.erase(holes.data_offset() + mib);
  images.keep("a present block that is a hole", holes, "info hole");
  VhdxBuilder fixed = holes;
  fixed.fixed = true;
  fixed.file_end = fixed.data_offset() + 6 * mib;
  images.keep("room of a fixed disk", fixed, "info leak");
}

}  // namespace

std::vector<DamagedImage> damaged_vhdx_images() {
  Catalogue images;
  add_headers(images);
  add_logs(images);
  add_regions(images);
  add_metadata(images);
  add_locators(images);
  add_entries(images);
  add_bitmaps(images);
  add_remarks(images);
  return images.take();
}

}  // namespace vdisk::test
