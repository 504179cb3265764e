// Replay (FORMATS 2.5.5; rules X11 to X15), and HOSTILE VHDX-70 to VHDX-85.
#include "formats/vhdx/replay.h"

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"
#include "formats/vhdx/replayed_file.h"
#include "support/counting_file.h"
#include "support/forwarding_file.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

constexpr u64 huge = u64{1} << 62;

/// A dirty image of 8 blocks with its data area at 4 MiB.
VhdxBuilder dirty(std::vector<VhdxLogEntry> entries) {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  builder.log = std::move(entries);
  builder.file_end = 6 * mib;
  return builder;
}
VhdxBuilder dirty(const VhdxLogWrite& write) {
  return dirty({VhdxLogEntry{.writes = {write}, .last_file_offset = 6 * mib}});
}
/// A BAT page whose first entry places block 0 at 4 MiB.
Bytes bat_page() {
  Bytes page = little(4 * mib | 6, 8);
  page.resize(4096);
  return page;
}
Bytes marked_page(u8 first) {
  Bytes page = filled(4096, first);
  page[0] = std::byte{0xF0};
  page[7] = std::byte{0xF7};
  page[4091] = std::byte{0xEB};
  page[4092] = std::byte{0xEC};
  page[4095] = std::byte{0xEF};
  return page;
}
Bytes read(const File& file, u64 offset, std::size_t size) {
  Bytes bytes(size);
  REQUIRE(file.read_at(offset, bytes).has_value());
  return bytes;
}
/// Recovers; the refusal, having checked that a refused file is untouched.
Refusal recovery_of(const VhdxBuilder& builder) {
  const auto file = builder.build();
  const auto before = file->clone();
  const auto status = recover(*file);
  if (status) return opens;
  CHECK(*file->size() == *before->size());
  for (u64 place = 0; place < *file->size(); place += mib) {
    CHECK(read(*file, place, mib) == read(*before, place, mib));
  }
  return refusal_of(status.error());
}

const Refusal bad_target{"X14", ErrorKind::corrupt};
const Refusal bad_growth{"X15", ErrorKind::corrupt};
const Refusal no_sequence{"X11", ErrorKind::corrupt};

}  // namespace

TEST_CASE("a clean image needs no recovery and is left alone") {
  const auto counting = std::make_shared<CountingFile>(VhdxBuilder{}.build());
  CHECK_FALSE(*needs_recovery(*counting));
  CHECK(recover(*counting).has_value());
  CHECK(counting->counts().changes() == 0);
}

TEST_CASE("a logged BAT entry is in place after the recovery, and the log is empty") {
  const VhdxBuilder builder = dirty({.file_offset = 3 * mib, .page = bat_page()});
  const auto file = builder.build();
  CHECK(*needs_recovery(*file));
  REQUIRE(recover(*file).has_value());
  CHECK(read(*file, 3 * mib, 4096) == bat_page());
  CHECK_FALSE(*needs_recovery(*file));
  CHECK(refusal(*file, {.access = Access::read_write}) == opens);
  for (const u64 slot : header_place) {
    CHECK(read(*file, slot + header_field::log_guid, 16) == Bytes(16));
    CHECK(peek(*file, slot + header_field::file_write_guid, 4) != 0xF0000000);
    CHECK(peek(*file, slot + header_field::data_write_guid, 4) == 0xD0000000);
  }
}

TEST_CASE("a page is rebuilt from descriptor and data sector, every byte of it") {
  const auto file = dirty({.file_offset = 5 * mib, .page = marked_page(0x42)}).build();
  REQUIRE(recover(*file).has_value());
  CHECK(read(*file, 5 * mib, 4096) == marked_page(0x42));
}

TEST_CASE("entries are applied in order, from the tail to the newest only") {
  const auto page = [](u8 value) { return filled(4096, value); };
  const auto file =
      dirty({{.sequence_number = 1, .offset = 0, .tail = 0, .writes = {{4 * mib, page(0x11)}}},
             {.sequence_number = 2,
              .offset = 0x2000,
              .tail = 0x2000,
              .writes = {{5 * mib, page(0x22)}, {5 * mib + 4096, page(0x23)}}},
             {.sequence_number = 3,
              .offset = 0x5000,
              .tail = 0x2000,
              .writes = {{5 * mib, page(0x33)}},
              .last_file_offset = 6 * mib}})
          .build();
  REQUIRE(recover(*file).has_value());
  CHECK(read(*file, 4 * mib, 4096) == page(0));  // before the tail
  CHECK(read(*file, 5 * mib, 4096) == page(0x33));
  CHECK(read(*file, 5 * mib + 4096, 4096) == page(0x23));
}

TEST_CASE("zero descriptors clear, and later pages lie on top of them") {
  VhdxBuilder builder =
      dirty({VhdxLogEntry{.writes = {{.file_offset = 4 * mib, .page = filled(4096, 0x11)},
                                     {.file_offset = 4 * mib, .zero_length = mib},
                                     {.file_offset = 4 * mib + 8192, .page = filled(4096, 0x22)}},
                          .last_file_offset = 6 * mib}});
  builder.contents[4 * mib] = filled(2 * mib, 0xFF);
  const auto file = builder.build();
  Bytes expected(mib);
  std::fill_n(expected.begin() + 8192, 4096, std::byte{0x22});
  const auto plan = plan_recovery(*file);
  REQUIRE(plan.has_value());
  const auto view =
      ReplayedFile::build(*file, plan->headers.current, plan->sequence, plan->final_size);
  REQUIRE(view.has_value());
  CHECK(read(**view, 4 * mib, mib) == expected);
  CHECK(read(**view, 5 * mib, mib) == filled(mib, 0xFF));
  CHECK(read(**view, 4 * mib + 8000, 300) ==
        Bytes(expected.begin() + 8000, expected.begin() + 8300));
  REQUIRE(recover(*file).has_value());
  CHECK(read(*file, 4 * mib, mib) == expected);
  CHECK(read(*file, 5 * mib, mib) == filled(mib, 0xFF));
}

TEST_CASE("an entry that wraps around the ring is replayed, with 130 descriptors too") {
  std::vector<VhdxLogWrite> writes;
  for (u64 index = 0; index < 130; ++index) {
    writes.push_back({5 * mib + index * 4096, filled(4096, static_cast<u8>(index + 1))});
  }
  const auto file =
      dirty({VhdxLogEntry{
                .offset = 0xFF000, .tail = 0xFF000, .writes = writes, .last_file_offset = 6 * mib}})
          .build();
  REQUIRE(recover(*file).has_value());
  for (u64 index = 0; index < 130; ++index) {
    CHECK(read(*file, 5 * mib + index * 4096, 4096) == writes[index].page);
  }
}

TEST_CASE("X15: the file is extended to LastFileOffset, rounded up") {
  const auto file = dirty({VhdxLogEntry{.last_file_offset = 9 * mib + 5}}).build();
  REQUIRE(recover(*file).has_value());
  CHECK(*file->size() == 10 * mib);
}

TEST_CASE("quirks 29 and 30: an empty sequence with file offsets of 0 just clears the log") {
  const auto file = dirty({VhdxLogEntry{}}).build();
  REQUIRE(recover(*file).has_value());
  CHECK(*file->size() == 6 * mib);
  CHECK_FALSE(*needs_recovery(*file));
}

TEST_CASE("X11: a LogGuid without an active sequence") {
  CHECK(recovery_of(dirty({VhdxLogEntry{.tail = 0x8000}})) == no_sequence);
}

TEST_CASE("a LogGuid that never reached the log is cleared, as after a crash of QEMU") {
  const auto file = dirty(std::vector<VhdxLogEntry>{}).build();
  CHECK(*needs_recovery(*file));
  REQUIRE(recover(*file).has_value());
  CHECK_FALSE(*needs_recovery(*file));
  CHECK(*file->size() == 6 * mib);
}

TEST_CASE("X12: a file shorter than FlushedFileOffset has lost its end") {
  CHECK(recovery_of(dirty({VhdxLogEntry{.flushed_file_offset = 7 * mib}})) ==
        Refusal{"X12", ErrorKind::truncated});
  CHECK(recovery_of(dirty({VhdxLogEntry{.flushed_file_offset = 6 * mib}})) == opens);
}

TEST_CASE("X14: pages go to whole pages behind the headers, outside the log, inside the file") {
  const auto with_page = [](u64 target) {
    return recovery_of(dirty({.file_offset = target, .page = filled(4096, 1)}));
  };
  CHECK(with_page(u64{1} << 63) == bad_target);
  CHECK(with_page(~u64{4095}) == bad_target);
  CHECK(with_page(tib) == bad_target);
  CHECK(with_page(0) == bad_target);
  CHECK(with_page(64 * kib) == bad_target);
  CHECK(with_page(192 * kib - 4096) == bad_target);
  CHECK(with_page(mib) == bad_target);
  CHECK(with_page(2 * mib - 4096) == bad_target);
  CHECK(with_page(5 * mib + 512) == bad_target);
  CHECK(with_page(6 * mib) == bad_target);
  CHECK(with_page(6 * mib - 4096) == opens);
}

TEST_CASE("X14: zeros go nowhere else") {
  const auto with_zeros = [](u64 target, u64 length) {
    return recovery_of(dirty({.file_offset = target, .zero_length = length}));
  };
  CHECK(with_zeros(5 * mib, u64{1} << 63) == bad_target);
  CHECK(with_zeros(5 * mib, 16 * tib) == bad_target);
  CHECK(with_zeros(5 * mib, 100) == bad_target);
  CHECK(with_zeros(5 * mib, ~u64{4095}) == bad_target);
  CHECK(with_zeros(0, 6 * mib) == bad_target);
  CHECK(with_zeros(512 * kib, 4 * mib) == bad_target);  // across the log
  CHECK(with_zeros(5 * mib, mib) == opens);
}

TEST_CASE("X14: one bad target refuses the whole sequence") {
  CHECK(recovery_of(dirty({{.sequence_number = 1, .writes = {{5 * mib, filled(4096, 1)}}},
                           {.sequence_number = 2,
                            .offset = 0x2000,
                            .writes = {{64 * kib, filled(4096, 1)}},
                            .last_file_offset = 6 * mib}})) == bad_target);
}

TEST_CASE("X14: a target within an absurd LastFileOffset is refused all the same") {
  CHECK(
      recovery_of(dirty({VhdxLogEntry{.writes = {{.file_offset = 5 * mib, .zero_length = 16 * tib}},
                                      .last_file_offset = 17 * tib}})) == bad_growth);
}

TEST_CASE("X15: an absurd LastFileOffset is refused") {
  CHECK(recovery_of(dirty({VhdxLogEntry{.last_file_offset = huge}})) == bad_growth);
  CHECK(recovery_of(dirty({VhdxLogEntry{.last_file_offset = ~u64{4095}}})) == bad_growth);
  CHECK(recovery_of(dirty({VhdxLogEntry{.last_file_offset = tib}})) == bad_growth);
}

TEST_CASE("the state after the replay must be valid, or nothing is written") {
  CHECK(recovery_of(dirty({.file_offset = 2 * mib, .page = filled(4096, 0xFF)})) ==
        Refusal{"X26", ErrorKind::corrupt});
  CHECK(recovery_of(dirty({.file_offset = 192 * kib, .page = filled(4096, 0xFF)})) == opens);
  CHECK(recovery_of(dirty({VhdxLogEntry{
            .writes = {{192 * kib, filled(4096, 0xFF)}, {256 * kib, filled(4096, 0xFF)}},
            .last_file_offset = 6 * mib}})) == Refusal{"X16", ErrorKind::corrupt});
}

TEST_CASE("the largest sequence number but one is replayed") {
  CHECK(recovery_of(dirty({VhdxLogEntry{.sequence_number = ~u64{1},
                                        .writes = {{3 * mib, bat_page()}},
                                        .last_file_offset = 6 * mib}})) == opens);
}

TEST_CASE("a header whose sequence number is used up refuses the recovery") {
  VhdxBuilder builder = dirty({.file_offset = 3 * mib, .page = bat_page()});
  builder.sequence_numbers[1] = ~u64{0};
  CHECK(recovery_of(builder).kind == ErrorKind::state);
}

TEST_CASE("the new FileWriteGuid is durable before anything else changes") {
  /// Tells for each flush which writes came before it.
  class Recorder : public ForwardingFile {
   public:
    using ForwardingFile::ForwardingFile;
    Status write_at(u64 offset, std::span<const std::byte> data) override {
      steps.push_back(offset < 192 * kib ? "header" : "page");
      return ForwardingFile::write_at(offset, data);
    }
    Status flush() override {
      steps.push_back("flush");
      return ForwardingFile::flush();
    }
    std::vector<std::string> steps;
  };
  Recorder file(dirty({.file_offset = 3 * mib, .page = bat_page()}).build());
  REQUIRE(recover(file).has_value());
  CHECK(file.steps == std::vector<std::string>{"header", "flush", "page", "flush", "header",
                                               "flush", "header", "flush"});
}

TEST_CASE("a recovery that fails anywhere can be run again") {
  const VhdxBuilder builder =
      dirty({VhdxLogEntry{.writes = {{3 * mib, bat_page()}, {5 * mib, marked_page(0x42)}},
                          .last_file_offset = 8 * mib}});
  // The n-th change or flush of the file fails; everything before it has happened.
  class Failing : public ForwardingFile {
   public:
    Failing(std::shared_ptr<File> inner, int left)
        : ForwardingFile(std::move(inner)), left_(left) {}
    Status write_at(u64 offset, std::span<const std::byte> data) override {
      if (left_-- <= 0) return fail(Errc::io, "planned");
      return ForwardingFile::write_at(offset, data);
    }
    Status resize(u64 size) override {
      if (left_-- <= 0) return fail(Errc::io, "planned");
      return ForwardingFile::resize(size);
    }
    Status flush() override {
      if (left_-- <= 0) return fail(Errc::io, "planned");
      return ForwardingFile::flush();
    }

   private:
    int left_;
  };
  int failures = 0;
  for (bool failed = true; failed; ++failures) {
    REQUIRE(failures < 100);
    const auto file = builder.build();
    Failing failing(file, failures);
    failed = !recover(failing).has_value();
    CAPTURE(failures);
    REQUIRE(recover(*file).has_value());
    CHECK(read(*file, 3 * mib, 4096) == bat_page());
    CHECK(read(*file, 5 * mib, 4096) == marked_page(0x42));
    CHECK(*file->size() == 8 * mib);
    CHECK(refusal(*file, {.access = Access::read_write}) == opens);
  }
  CHECK(failures == 11);  // after 0 to 9 of 5 writes, 1 resize and 4 flushes; and never
}
