/// Proves that the crash machine can fail: bugs are planted into what sound code did, and each of
/// them is found. Also what states the enumerator makes of a few operations.
#include "crash/machine.h"

#include <set>

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/try.h"
#include "crash/kinds.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

using OperationKind = StorageOperation::Kind;

const std::string path = "/disks/a";

/// A file of 4 KiB of the letter a, and what is done to it.
struct Story {
  Story() : recorder({.names = {{path, 1}}, .files = {{1, filled('a', 4096)}}}) {}

  static PagedContent filled(char letter, u64 length) {
    PagedContent content;
    content.write(0, std::vector<std::byte>(length, static_cast<std::byte>(letter)));
    return content;
  }
  void tell(StorageOperation operation) { REQUIRE(recorder.before(operation).has_value()); }
  void write(u64 offset, char letter, u64 length) {
    const std::vector<std::byte> data(length, static_cast<std::byte>(letter));
    tell({.kind = OperationKind::write,
          .file = 1,
          .offset = offset,
          .length = length,
          .data = data});
  }
  void flush() { tell({.kind = OperationKind::flush, .file = 1}); }

  /// All different contents of the file, as text with one letter for each 512 bytes.
  std::set<std::string> states(bool torn = false) {
    std::set<std::string> found;
    const CrashLimits limits{.states_per_point = 400};
    CrashStates(recorder.recording(), limits, 1)
        .walk([](u64) { return true; },
              [&](CrashState&& state) {
                const auto text = letters(state.tree);
                if (torn || text.find('?') == std::string::npos) found.insert(text);
              });
    return found;
  }
  static std::string letters(const FileTree& tree) {
    const PagedContent* const content = tree.find(path);
    if (content == nullptr) return "absent";
    std::string text;
    std::vector<std::byte> bytes(content->size());
    content->read(0, bytes);
    for (u64 at = 0; at < bytes.size(); at += 512) {
      const auto sector = std::span(bytes).subspan(at, 512);
      const bool even = std::ranges::all_of(sector, [&](std::byte b) { return b == sector[0]; });
      text += !even ? '?' : sector[0] == std::byte{0} ? '0' : static_cast<char>(sector[0]);
    }
    return text;
  }

  Recorder recorder;
};

Scenario scenario_named(std::string_view id, std::string_view title) {
  for (Scenario& scenario : all_scenarios(1, 0)) {
    if (scenario.id == id && scenario.title == title) return std::move(scenario);
  }
  FAIL("no such scenario: " << title);
  return {};
}

std::size_t violations(const Scenario& scenario, std::function<void(Recording&)> mutate) {
  MachineOptions options;
  options.mutate = std::move(mutate);
  const auto result = run_scenario(scenario, options);
  for (const std::string& text : result.violations) MESSAGE(text);
  return result.violation_count;
}

/// Indices of the operations of a kind.
std::vector<std::size_t> all_of(const Recording& recording, OperationKind kind) {
  std::vector<std::size_t> found;
  for (std::size_t index = 0; index < recording.operations.size(); ++index) {
    if (recording.operations[index].operation.kind == kind) found.push_back(index);
  }
  return found;
}

std::ptrdiff_t signed_index(std::size_t index) {
  return static_cast<std::ptrdiff_t>(index);
}

void drop(Recording& recording, std::size_t index) {
  recording.operations.erase(recording.operations.begin() + signed_index(index));
}

bool is_payload(const Recorded& recorded) {
  return recorded.data.size() >= model_sector && load<u32>(recorded.data) == payload_mark;
}

/// Zeroing and payload reach the file after the flush that should have covered them.
void write_payload_late(Recording& recording) {
  auto& operations = recording.operations;
  for (std::size_t index = operations.size(); index-- > 0;) {
    const bool zeroes = operations[index].operation.kind == OperationKind::zero;
    if (!is_payload(operations[index]) && !zeroes) continue;
    auto flush = operations.begin() + signed_index(index);
    while (flush != operations.end() && flush->operation.kind != OperationKind::flush) ++flush;
    if (flush != operations.end()) {
      std::rotate(operations.begin() + signed_index(index),
                  operations.begin() + signed_index(index) + 1, flush + 1);
    }
  }
}

/// What is done with freed space happens before anything else: the table still names it.
void reuse_early(Recording& recording) {
  auto& operations = recording.operations;
  const auto punches = all_of(recording, OperationKind::punch);
  REQUIRE_FALSE(punches.empty());
  const StorageOperation freed = operations[punches.front()].operation;
  const auto is_reuse = [&freed](const Recorded& recorded) {
    const StorageOperation& operation = recorded.operation;
    return recorded.changes_bytes() &&
           overlaps(operation.offset, operation.length, freed.offset, freed.length);
  };
  std::stable_partition(operations.begin(), operations.end(), is_reuse);
}

/// A block is dropped, and another one takes its space. Nothing is promised of either.
Scenario drop_and_reuse(test::Kind kind) {
  const u64 b = block_size(kind);
  Scenario scenario;
  scenario.id = "planted";
  scenario.disk = is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
  scenario.prepare = [=](Stage& stage) {
    make_image(stage, kind, 4);
    set_up(stage, scenario.disk,
           {{Step::Kind::write, 0, 4 * kib}, {Step::Kind::write, b, 512}, {Step::Kind::close}});
    GuestModel& model = stage.expectation.views.at(scenario.disk).model;
    model.issue(0, b, 0);
    model.issue(b, 512, 8);
    model.issue(3 * b, 4 * kib, 9);
  };
  scenario.job = [=](Stage& stage) -> Status {
    VDISK_ASSIGN(auto disk, Disk::open(scenario.disk, stage.options(Access::read_write)));
    VDISK_TRY(disk.zero(0, b));
    constexpr int flushes_until_free = 4;  // of a VHDX: logged, in place, passed by the tail
    for (int n = 0; n < flushes_until_free; ++n) {
      VDISK_TRY(disk.write(b, sectors_of(b, 512, 8)));
      VDISK_TRY(disk.flush());
    }
    VDISK_TRY(disk.write(3 * b, sectors_of(3 * b, 4 * kib, 9)));
    return disk.flush();
  };
  return scenario;
}

}  // namespace

TEST_CASE("before a flush any subset of the changes is there, after it all of them") {
  Story story;
  story.write(0, 'b', 512);
  story.write(1024, 'c', 512);
  CHECK(story.states() == std::set<std::string>{"aaaaaaaa", "baaaaaaa", "aacaaaaa", "bacaaaaa"});
  Story flushed;
  flushed.write(0, 'b', 512);
  flushed.flush();
  flushed.write(1024, 'c', 512);
  const auto states = flushed.states();
  CHECK(states.contains("bacaaaaa"));
  CHECK_FALSE(states.contains("aacaaaaa"));
}

TEST_CASE("an overwritten sector holds any of its values") {
  Story story;
  story.write(0, 'b', 512);
  story.write(0, 'c', 512);
  CHECK(story.states() == std::set<std::string>{"aaaaaaaa", "baaaaaaa", "caaaaaaa"});
}

TEST_CASE("the size is old or new, whatever became of the bytes") {
  Story story;
  story.write(4096, 'b', 512);
  CHECK(story.states() == std::set<std::string>{"aaaaaaaa", "aaaaaaaa0", "aaaaaaaab"});
  Story cut;
  cut.tell({.kind = OperationKind::resize, .file = 1, .length = 2048});
  cut.tell({.kind = OperationKind::resize, .file = 1, .length = 4096});
  CHECK(cut.states() == std::set<std::string>{"aaaaaaaa", "aaaa", "aaaa0000"});
}

TEST_CASE("metadata are torn at 64 bytes, payload at 512") {
  Story metadata;
  metadata.write(0, 'b', 1024);
  CHECK(metadata.states(true).contains("?baaaaaa"));
  Story payload;
  const auto sectors = sectors_of(0, 1024, 1);
  payload.tell({.kind = OperationKind::write, .file = 1, .length = 1024, .data = sectors});
  std::set<bool> first;
  CrashStates(payload.recorder.recording(), {.states_per_point = 400}, 1)
      .walk([](u64) { return false; },
            [&](CrashState&& state) {
              std::vector<std::byte> bytes(1024);
              state.tree.find(path)->read(0, bytes);
              for (const u64 at : {u64{0}, u64{512}}) {
                const auto sector = std::span(bytes).subspan(at, 512);
                const bool old = sector[0] == std::byte{'a'} && sector[511] == std::byte{'a'};
                const bool written = value_of(sector, at) == 1;
                CHECK(old != written);
                if (at == 0) first.insert(written);
              }
            });
  CHECK(first.size() == 2);
}

TEST_CASE("names are those of the last directory sync, or later ones") {
  Story story;
  story.tell({.kind = OperationKind::remove, .name = path});
  CHECK(story.states() == std::set<std::string>{"aaaaaaaa", "absent"});
  story.tell({.kind = OperationKind::sync_names});
  story.write(0, 'b', 512);  // nobody can see that any more
  CHECK(story.states() == std::set<std::string>{"aaaaaaaa", "absent"});
}

TEST_CASE("sound code has no violation in the scenarios that are spoilt below") {
  CHECK(violations(scenario_named("X-06", "VHD dynamic: first write to new blocks"), {}) == 0);
  CHECK(violations(scenario_named("X-06", "VHDX child: first write to new blocks"), {}) == 0);
  CHECK(violations(scenario_named("X-02", "create new.vhd (dynamic)"), {}) == 0);
}

TEST_CASE("planted: the BAT before the payload") {
  const std::string partial = " child: write to a partially present block";
  const std::string reuse = " dynamic: zero and discard, and the space used again";
  for (const std::string format : {"VHD", "VHDX"}) {
    CAPTURE(format);
    CHECK(violations(scenario_named("X-10", format + partial), write_payload_late) > 0);
    CHECK(violations(scenario_named("X-09", format + reuse), write_payload_late) > 0);
  }
}

TEST_CASE("planted: a forgotten flush") {
  for (const char* title : {"VHD dynamic: overwrite", "VHD child: overwrite",
                            "VHDX dynamic: overwrite", "VHDX child: overwrite"}) {
    CAPTURE(title);
    const Scenario scenario = scenario_named("X-07", title);
    std::size_t found = 0;
    std::size_t flushes = 1;
    for (std::size_t number = 0; number < flushes; ++number) {
      const auto forget = [&](Recording& recording) {
        const auto all = all_of(recording, OperationKind::flush);
        flushes = all.size();
        drop(recording, all[number]);
      };
      if (violations(scenario, forget) > 0) ++found;
    }
    CHECK(found > 0);
  }
}

TEST_CASE("planted: a rename without directory sync") {
  const auto forget = [](Recording& recording) {
    const auto all = all_of(recording, OperationKind::sync_names);
    REQUIRE(all.size() == 1);
    drop(recording, all.front());
  };
  CHECK(violations(scenario_named("X-02", "create new.vhd (dynamic)"), forget) > 0);
  CHECK(violations(scenario_named("X-03", "create new.vhdx (dynamic)"), forget) > 0);
}

TEST_CASE("planted: a rename before the file is durable") {
  const auto forget = [](Recording& recording) {
    drop(recording, all_of(recording, OperationKind::flush).back());
  };
  CHECK(violations(scenario_named("X-02", "create new.vhd (dynamic)"), forget) > 0);
  CHECK(violations(scenario_named("X-03", "create new.vhdx (dynamic)"), forget) > 0);
}

TEST_CASE("planted: freed space used again too early") {
  for (const test::Kind kind : {test::Kind::vhd_dynamic, test::Kind::vhdx_dynamic}) {
    CAPTURE(name(kind));
    const Scenario scenario = drop_and_reuse(kind);
    CHECK(violations(scenario, {}) == 0);
    CHECK(violations(scenario, reuse_early) > 0);
  }
}
