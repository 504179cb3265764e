/// Power loss at every change of the file during shrink and expand: the old or the new size, all
/// data of the one that it is, and a rerun that ends.
///
/// What a power loss keeps is random: VDISK_CRASH_ROUNDS=N tries each call N times.
#include <cstdlib>

#include <doctest/doctest.h>

#include "resize_subtypes.h"
#include "support/crash_file.h"
#include "support/substitute_filesystem.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

u64 rounds() {
  const char* text = std::getenv("VDISK_CRASH_ROUNDS");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

/// One image, and a change of its size.
struct Resizing {
  MemoryPlace place;
  std::filesystem::path path;
  std::shared_ptr<MemoryFile> start;
  u64 new_size = 0;
  bool allow_data_loss = false;
  bool fix_gpt = false;

  Resizing(const Subtype& subtype, u64 its_new_size, std::span<const std::byte> content)
      : path(make(place, subtype, content.size(), 4096)), new_size(its_new_size) {
    write_and_close(place, path, 0, content);
    start = MemoryFile::with_content(place.bytes(path).all());
  }

  [[nodiscard]] OpenOptions options(const std::shared_ptr<File>& file, Access access) const {
    OpenOptions result = place.options(access);
    result.file_system = std::make_shared<SubstituteFileSystem>(place.files, path, file);
    return result;
  }

  void perform(const std::shared_ptr<File>& file) const {
    ResizeOptions resize_options;
    resize_options.path = path;
    resize_options.size = new_size;
    resize_options.fix_gpt = fix_gpt;
    resize_options.allow_data_loss = allow_data_loss;
    resize_options.open = options(file, Access::read_write);
    Progress progress;
    const auto resized = resize(resize_options, progress);
    REQUIRE_MESSAGE(resized, resized.error().message);
  }

  [[nodiscard]] std::vector<std::byte> content(const std::shared_ptr<File>& file) const {
    const auto disk = Disk::open(path, options(file, Access::read_only));
    REQUIRE_MESSAGE(disk, disk.error().message);
    return read(*disk, 0, disk->size());
  }

  void check_clean(const std::shared_ptr<File>& file) const {
    CheckOptions check_options;
    check_options.path = path;
    check_options.open = options(file, Access::read_only);
    Progress progress;
    const auto reports = check(check_options, progress);
    REQUIRE(reports);
    CHECK(reports->front().report.clean());
  }

  /// `examine` gets what each crash leaves; then the operation is run again to its end.
  template <class Examine, class ExamineEnd>
  void lose_power(Examine examine, ExamineEnd examine_end) const {
    bool reached = true;
    for (u64 call = 0; reached; ++call) {
      for (u64 round = 0; round < rounds(); ++round) {
        CAPTURE(call);
        CAPTURE(round);
        const auto file = std::make_shared<CrashFile>(*start);
        file->crash_before(call, static_cast<u32>(call + 1000 * round));
        perform(file);
        reached = file->crashed();
        file->crash_now();
        const auto left = file->remains();
        examine(content(left));
        perform(left);
        examine_end(left);
        check_clean(left);
      }
    }
  }
};

/// Both begin with the same bytes, as far as `from` to `length`.
void check_equal(const std::vector<std::byte>& a, const std::vector<std::byte>& b, u64 from,
                 u64 length) {
  CHECK(std::equal(a.begin() + static_cast<std::ptrdiff_t>(from),
                   a.begin() + static_cast<std::ptrdiff_t>(from + length),
                   b.begin() + static_cast<std::ptrdiff_t>(from)));
}

/// Where the size changes, and where the copies of the table are, may differ: nothing else.
void lose_power_with_gpt(const Subtype& subtype, u64 old_size, u64 new_size) {
  const auto before = disk_with_gpt(old_size, subtype.sector);
  const auto after = disk_with_gpt(new_size, subtype.sector);
  Resizing resizing(subtype, new_size, before);
  resizing.fix_gpt = new_size > old_size;
  const u64 entries = 2 * subtype.sector;
  const u64 common = std::min(old_size, new_size) - 256 * kib;
  const u64 backup = 16 * kib + subtype.sector;
  resizing.lose_power(
      [&](const std::vector<std::byte>& content) {
        REQUIRE((content.size() == old_size || content.size() == new_size));
        check_equal(content, before, entries, common - entries);
      },
      [&](const std::shared_ptr<File>& file) {
        const auto content = resizing.content(file);
        REQUIRE(content.size() == new_size);
        check_equal(content, after, 0, common);
        check_equal(content, after, new_size - backup, backup);
      });
}

/// Data everywhere, also behind the new end, where they may be lost but not changed.
std::vector<std::byte> full_disk(u64 size) {
  std::vector<std::byte> bytes(size);
  for (u64 n = 0; n < size; ++n) bytes[n] = static_cast<std::byte>(n / 4096 % 251 + 1);
  return bytes;
}

}  // namespace

TEST_CASE("a power loss during shrink with a GPT leaves the old or the new size; a rerun ends") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    lose_power_with_gpt(subtype, large, small);
  }
}

TEST_CASE("a power loss while a GPT moves over its own backup") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    lose_power_with_gpt(subtype, large, large - subtype.sector);
    lose_power_with_gpt(subtype, large - subtype.sector, large);
  }
}

TEST_CASE("a power loss during expand with a GPT leaves the old or the new size; a rerun ends") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    lose_power_with_gpt(subtype, small, large);
  }
}

TEST_CASE("a power loss during shrink keeps all data of the old size, or of the new one") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    const auto before = full_disk(large);
    Resizing resizing(subtype, small, before);
    resizing.allow_data_loss = true;
    resizing.lose_power(
        [&](const std::vector<std::byte>& content) {
          REQUIRE((content.size() == large || content.size() == small));
          check_equal(content, before, 0, content.size());
        },
        [&](const std::shared_ptr<File>& file) {
          const auto content = resizing.content(file);
          REQUIRE(content.size() == small);
          check_equal(content, before, 0, small);
          ExpandOptions grow;
          grow.path = resizing.path;
          grow.size = large;
          grow.open = resizing.options(file, Access::read_write);
          Progress progress;
          REQUIRE(expand(grow, progress));
          const auto grown = resizing.content(file);
          check_equal(grown, before, 0, small);
          CHECK(std::all_of(grown.begin() + static_cast<std::ptrdiff_t>(small), grown.end(),
                            [](std::byte byte) { return byte == std::byte{}; }));
        });
  }
}
