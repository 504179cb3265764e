/// What a crash leaves at any instant of allocating, discarding, expanding, relinking and closing:
/// an image that opens, is sound, and holds in each sector what was flushed or issued later.
#include <set>

#include "crash_states.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

/// Content by sector; 0 stands for what was there before: the parent's bytes or zeros.
class Model {
 public:
  explicit Model(u64 sectors) : flushed_(sectors), issued_(sectors) {}

  void write(u64 first, u64 count, u64 value) {
    for (u64 n = first; n < first + count; ++n) issued_[n].push_back(value);
  }
  void flushed() {
    for (std::size_t n = 0; n < issued_.size(); ++n) {
      if (!issued_[n].empty()) flushed_[n] = issued_[n].back();
      issued_[n].clear();
    }
  }
  void grow(u64 sectors) {
    flushed_.resize(sectors);
    issued_.resize(sectors);
  }
  [[nodiscard]] u64 sectors() const { return flushed_.size(); }
  [[nodiscard]] bool allows(u64 sector, u64 value) const {
    return flushed_[sector] == value ||
           std::ranges::find(issued_[sector], value) != issued_[sector].end();
  }

 private:
  std::vector<u64> flushed_;
  std::vector<std::vector<u64>> issued_;
};

/// A sector that says of itself what it is.
Bytes sector_of(u64 sector, u64 value) {
  Bytes bytes(512);
  if (value == 0) return bytes;
  for (u64 n = 0; n < 512; n += 16) {
    put_u64(bytes, n, value);
    put_u64(bytes, n + 8, sector);
  }
  return bytes;
}

Bytes run_of(u64 first, u64 count, u64 value) {
  Bytes bytes;
  for (u64 n = first; n < first + count; ++n) {
    const Bytes one = sector_of(n, value);
    bytes.insert(bytes.end(), one.begin(), one.end());
  }
  return bytes;
}

struct Crash {
  Model model;
  std::set<u64> sizes;  ///< in sectors, that the disk may have

  void check_content(const Image& image) const {
    const u64 sectors = image.geometry().virtual_size / 512;
    REQUIRE(sizes.contains(sectors));
    const Bytes bytes = read_all(image);
    for (u64 n = 0; n < sectors; ++n) {
      const u64 value = get_u64(bytes, n * 512);
      const Bytes expected = sector_of(n, value);
      const bool whole = std::equal(expected.begin(), expected.end(),
                                    bytes.begin() + static_cast<std::ptrdiff_t>(n * 512));
      const bool allowed = n < model.sectors() ? model.allows(n, value) : value == 0;
      if (!whole || !allowed) FAIL("sector " << n << " holds value " << value);
    }
  }

  /// A reader sees it, and writes nothing; a writer repairs it; then it is clean.
  void check(const std::shared_ptr<MemoryFile>& state) const {
    check_content(*open_sound(state));
    {
      const auto image = open_sound(state, Access::read_write);
      check_content(*image);
      const auto extent = image->reserve(0, 512);
      REQUIRE(extent.has_value());
    }
    CheckReport report;
    REQUIRE(vhd::format.check(*state, report).has_value());
    for (const Finding& finding : report.findings) {
      if (finding.severity != Severity::info) FAIL(finding.id << ": " << finding.message);
    }
    check_content(*open_sound(state));
  }
};

VhdBuilder tiny(u32 disk_type, u64 blocks, u32 block_size = 4096) {
  VhdBuilder builder;
  builder.footer.disk_type = disk_type;
  builder.block_size = block_size;
  builder.footer.current_size = blocks * block_size;
  if (disk_type == 4) {
    builder.parent_unique_id[0] = 1;
    builder.locators = {{0x57327275, utf16le(".\\base.vhd")}};
  }
  return builder;
}

u64 seed_of_run() {
  static const u64 seed = std::random_device{}();
  return seed;
}

struct Session {
  explicit Session(const Bytes& bytes, u64 size)
      : file(memory_file(bytes)),
        crash_file(std::make_shared<CrashFile>(file, seed_of_run())),
        crash{Model(size / 512), {size / 512}} {
    crash_file->examine_with([this](const auto& state) { crash.check(state); });
    image = open_sound(crash_file, Access::read_write);
  }
  void write(u64 first, u64 count, u64 value) {
    crash.model.write(first, count, value);
    REQUIRE(write_image(*image, first * 512, run_of(first, count, value)).has_value());
  }
  void flush() {
    REQUIRE(image->flush().has_value());
    crash.model.flushed();
    image->reclaim();
  }
  void expand(u64 size) {
    crash.sizes.insert(size / 512);
    REQUIRE(image->expand(size).has_value());
    crash.sizes = {size / 512};
    crash.model.grow(size / 512);
  }
  void close() {
    REQUIRE(image->close().has_value());
    crash.model.flushed();
    image = open_sound(crash_file, Access::read_write);
  }

  std::shared_ptr<MemoryFile> file;
  std::shared_ptr<CrashFile> crash_file;
  Crash crash;
  std::unique_ptr<Image> image;
};

}  // namespace

TEST_CASE("crash: allocating, overwriting, flushing and closing") {
  for (const u32 type : {3U, 4U}) {
    CAPTURE(type);
    CAPTURE(seed_of_run());
    Session session(tiny(type, 6).build(), 6 * 4096);
    for (u64 round = 0; round < 2; ++round) {
      session.write(8 * round + 2, 3, 10 * round + 1);
      session.write(8 * round + 20, 10, 10 * round + 2);
      session.flush();
      session.write(8 * round + 3, 1, 10 * round + 3);
      session.write(40, 2, 10 * round + 4);
      session.close();
    }
    CHECK(session.crash_file->states() > 300);
  }
}

TEST_CASE("crash: discarding, and using the space again") {
  CAPTURE(seed_of_run());
  Session session(tiny(3, 6).build(), 6 * 4096);
  session.write(0, 24, 1);
  session.flush();
  for (u64 round = 0; round < 3; ++round) {
    session.crash.model.write(8, 8, 0);
    REQUIRE(*session.image->discard(4096, 4096, State::zero) == 4096);
    session.write(24 + 8 * (round % 2), 1, 10 + round);
    session.flush();
    session.write(9, 2, 20 + round);
    session.write(40, 1, 30 + round);
    session.flush();
  }
  session.close();
}

TEST_CASE("crash: expanding in place, with a new table, and once more") {
  for (const u32 type : {3U, 4U}) {
    CAPTURE(type);
    CAPTURE(seed_of_run());
    VhdBuilder builder = tiny(type, 6, 1024);
    builder.footer.current_size -= 512;
    Session session(builder.build(), builder.footer.current_size);
    session.write(0, 3, 1);
    session.write(9, 2, 2);
    session.flush();
    session.expand(8 * 1024 + 512);
    session.write(14, 3, 3);
    session.close();
    session.expand(140 * 1024);
    session.write(139 * 2, 2, 4);
    session.expand(150 * 1024);
    session.expand(260 * 1024);
    session.close();
  }
}

TEST_CASE("crash: expanding a fixed image") {
  CAPTURE(seed_of_run());
  Session session(make_fixed_vhd(Bytes(16 * kib)), 16 * kib);
  session.crash_file->examine_with(nullptr);
  session.write(0, 32, 1);
  session.flush();
  session.crash_file->examine_with([&](const auto& state) { session.crash.check(state); });
  session.expand(16 * kib + 512);
  session.expand(64 * kib);
  session.expand(65 * kib);
}

TEST_CASE("crash: linking to another parent") {
  CAPTURE(seed_of_run());
  Session session(tiny(4, 6).build(), 6 * 4096);
  session.write(0, 3, 1);
  session.flush();
  ParentLink link;
  link.accepted_ids.push_back(random_guid());
  REQUIRE(session.image->link_parent(link).has_value());
  link.paths = {{"W2ru", ".\\other.vhd", true}};
  REQUIRE(session.image->link_parent(link).has_value());
  session.close();
  CHECK(session.image->info().parent->accepted_ids == link.accepted_ids);
}

TEST_CASE("crash: repairing the footers") {
  CAPTURE(seed_of_run());
  VhdBuilder builder = tiny(3, 6);
  builder.blocks[2].data = pattern(0, 4096, 1);
  const Bytes sound = builder.build();
  const Bytes content = read_all(*open_sound(memory_file(sound)));
  Bytes no_end(sound.begin(), sound.end() - 512);
  Bytes no_head = sound;
  put_u8(no_head, 70, 1);
  Bytes legacy = sound;
  legacy.pop_back();
  for (const Bytes& bytes : {no_end, no_head, legacy}) {
    const auto crash_file = std::make_shared<CrashFile>(memory_file(bytes), seed_of_run());
    crash_file->examine_with([&](const auto& state) {
      CHECK(read_all(*open_sound(state)) == content);
      (void)open_sound(state, Access::read_write);
      CHECK(read_all(*open_sound(state)) == content);
    });
    (void)open_sound(crash_file, Access::read_write);
    CHECK(crash_file->states() > 1);
  }
}
