/// Power loss at every change of the file during compact: the content stays, the map is sound, and
/// a rerun ends with the file that an undisturbed run leaves.
///
/// What a power loss keeps is random: VDISK_CRASH_ROUNDS=N tries each call N times.
#include <cstdlib>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "support/crash_file.h"
#include "support/memory_place.h"
#include "support/substitute_filesystem.h"
#include "support/vhd_builder.h"

using namespace vdisk;
using test::CrashFile;
using test::filled;
using test::MemoryPlace;
using test::must;

namespace {

constexpr u64 vhd_block = 4 * kib;
constexpr u64 vhd_blocks = 24;

std::array<u8, 16> id_of(u8 first) {
  return {first, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
}

/// Blocks in an order of their own, some of zeros, and holes between them.
test::VhdBuilder scattered_vhd(u32 disk_type) {
  test::VhdBuilder builder;
  builder.footer.disk_type = disk_type;
  builder.footer.current_size = vhd_blocks * vhd_block - 512;
  builder.footer.unique_id = id_of(static_cast<u8>(disk_type));
  builder.block_size = vhd_block;
  for (u64 n = 0; n < vhd_blocks; n += n % 5 == 4 ? u64{2} : u64{1}) {
    builder.blocks[n].data =
        n % 4 == 1 ? test::Bytes(vhd_block) : test::pattern(n * vhd_block, vhd_block, disk_type);
  }
  if (disk_type != 4) return builder;
  builder.parent_unique_id = id_of(3);
  builder.locators = {{0x57327275, test::utf16le(".\\base.vhd")}};
  builder.blocks[2].bitmap = test::Bytes(512);
  builder.blocks[3].bitmap = test::Bytes(512);
  builder.blocks[3].bitmap[0] = std::byte{0x18};
  return builder;
}

/// What one run of the operation works on.
struct Setting {
  MemoryPlace place;
  std::filesystem::path path;
  std::shared_ptr<MemoryFile> start;
  std::vector<std::byte> content;
  u64 size = 0;
  u64 smallest = 0;

  [[nodiscard]] OpenOptions options(const std::shared_ptr<File>& file, Access access) const {
    OpenOptions result = place.options(access);
    result.file_system = std::make_shared<test::SubstituteFileSystem>(place.files, path, file);
    return result;
  }

  [[nodiscard]] CompactOptions compact_options(const std::shared_ptr<File>& file) const {
    CompactOptions options;
    options.path = path;
    options.open = this->options(file, Access::read_write);
    return options;
  }

  u64 compact(const std::shared_ptr<File>& file) const {
    Progress progress;
    const auto compacted = vdisk::compact(compact_options(file), progress);
    if (!compacted) throw std::runtime_error(compacted.error().message);
    return compacted->new_file_size;
  }

  [[nodiscard]] std::vector<std::byte> read(const std::shared_ptr<File>& file) const {
    const auto disk = Disk::open(path, options(file, Access::read_only));
    if (!disk) throw std::runtime_error(disk.error().message);
    return test::read(*disk, 0, size);
  }

  void check_sound(const std::shared_ptr<File>& file) const {
    CheckOptions check_options;
    check_options.path = path;
    check_options.open = options(file, Access::read_only);
    Progress progress;
    const auto reports = vdisk::check(check_options, progress);
    if (!reports) throw std::runtime_error(reports.error().message);
    for (const Finding& finding : reports->front().report.findings) {
      INFO(finding.id << " " << finding.message);
      // A dirty log, an end footer that is missing: what opening for writing puts right.
      CHECK(finding.severity != Severity::error);
    }
  }

  void prepare(std::shared_ptr<MemoryFile> file) {
    start = std::move(file);
    const auto disk = Disk::open(path, options(start, Access::read_only));
    if (!disk) throw std::runtime_error(disk.error().message);
    size = disk->size();
    content = read(start);
    smallest = compact(start->clone());
  }
};

/// The substitute's parent is found by its real name.
void put(const MemoryPlace& place, const std::filesystem::path& path, const test::Bytes& bytes) {
  const auto file = place.files->create_beside(path);
  must((*file)->write_at(0, bytes));
  must(place.files->publish(**file, path, true));
}

void prepare_vhd(Setting& setting, bool child) {
  put(setting.place, "/disks/base.vhd", scattered_vhd(3).build());
  setting.path = "/disks/image.vhd";
  setting.prepare(test::memory_file(scattered_vhd(child ? 4 : 3).build()));
}

void prepare_vhdx(Setting& setting, bool child) {
  Target target;
  target.block_size = static_cast<u32>(mib);
  auto path = setting.place.create("base.vhdx", 8 * mib, target);
  const auto fill = [&](int seed) {
    auto disk = setting.place.open(path, Access::read_write);
    for (const u64 n : {7U, 2U, 5U, 0U, 4U}) {
      must(disk.write(n * mib, filled(mib, static_cast<int>(n % 2) * seed)));
    }
    must(disk.write(3 * mib + 512, filled(1024, seed)));
    must(disk.close());
  };
  fill(1);
  if (child) {
    path = setting.place.snapshot(path, "child.vhdx", target);
    fill(2);
  }
  setting.path = "/disks/image.vhdx";
  setting.prepare(MemoryFile::with_content(setting.place.bytes(path).all()));
}

u64 rounds() {
  const char* text = std::getenv("VDISK_CRASH_ROUNDS");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

/// False: the operation ended before that call.
bool crash_before_call(const Setting& setting, u64 call, u64 seed) {
  CAPTURE(call);
  CAPTURE(seed);
  const auto file = std::make_shared<CrashFile>(*setting.start);
  file->crash_before(call, static_cast<u32>(seed));
  setting.compact(file);
  const bool reached = file->crashed();
  file->crash_now();
  const auto left = file->remains();
  REQUIRE(setting.read(left) == setting.content);
  setting.check_sound(left);
  CHECK(setting.compact(left) == setting.smallest);
  CHECK(setting.read(left) == setting.content);
  return reached;
}

/// Every change and flush by turns; the number of them.
u64 crash_at_every_call(const Setting& setting) {
  for (u64 call = 0;; ++call) {
    bool reached = false;
    for (u64 n = 0; n < rounds(); ++n) reached = crash_before_call(setting, call, call + 1000 * n);
    if (!reached) return call;
  }
}

}  // namespace

TEST_CASE("a power loss during compact of a dynamic VHD") {
  Setting setting;
  prepare_vhd(setting, false);
  CHECK(crash_at_every_call(setting) > 20);
}

TEST_CASE("a power loss during compact of a differencing VHD") {
  Setting setting;
  prepare_vhd(setting, true);
  CHECK(crash_at_every_call(setting) > 10);
}

TEST_CASE("a power loss during compact of a dynamic VHDX") {
  Setting setting;
  prepare_vhdx(setting, false);
  CHECK(crash_at_every_call(setting) > 20);
}

TEST_CASE("a power loss during compact of a differencing VHDX") {
  Setting setting;
  prepare_vhdx(setting, true);
  CHECK(crash_at_every_call(setting) > 20);
}
