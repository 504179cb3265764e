// A planned file shows what it records, and doing it to a copy of the base gives the same bytes.
#include "io/planned_file.h"

#include <algorithm>
#include <cstdlib>
#include <random>

#include <doctest/doctest.h>

#include "io/memory_file.h"
#include "support/counting_file.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

using Bytes = std::vector<std::byte>;

Bytes numbered(u64 length, u32 seed) {
  std::mt19937 random(seed);
  Bytes bytes(length);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::shared_ptr<MemoryFile> file_of(const Bytes& bytes) {
  auto file = std::make_shared<MemoryFile>();
  REQUIRE(file->write_at(0, bytes).has_value());
  return file;
}

Bytes content(const File& file) {
  Bytes bytes(*file.size());
  REQUIRE(file.read_at(0, bytes).has_value());
  return bytes;
}

std::shared_ptr<PlannedFile> plan_on(std::shared_ptr<const File> base) {
  return *PlannedFile::create(std::move(base));
}

u32 seed_of_run() {
  const char* given = std::getenv("VDISK_SEED");
  return given != nullptr ? static_cast<u32>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
}

/// One random change of both a plan and a plain model of it.
void change_randomly(PlannedFile& plan, Bytes& model, std::mt19937& random) {
  const u64 offset = random() % 9000;
  const u64 length = 1 + random() % 3000;
  const auto grow = [&](u64 end) {
    if (model.size() < end) model.resize(end);
  };
  switch (random() % 6) {
    case 0: {
      const Bytes data = numbered(length, static_cast<u32>(random()));
      REQUIRE(plan.write_at(offset, data).has_value());
      grow(offset + length);
      std::ranges::copy(data, model.begin() + static_cast<std::ptrdiff_t>(offset));
      return;
    }
    case 1:
      REQUIRE(plan.zero_at(offset, length).has_value());
      grow(offset + length);
      std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(offset), length, std::byte{});
      return;
    case 2:
      REQUIRE(plan.punch_at(offset, length).has_value());
      if (offset < model.size()) {
        std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(offset),
                    std::min<u64>(length, model.size() - offset), std::byte{});
      }
      return;
    case 3: {
      const u64 part = std::min<u64>(length, model.size() / 2);
      const u64 source = random() % (model.size() - part + 1);
      const u64 target = std::max<u64>(source + part, offset);
      const Bytes copied(model.begin() + static_cast<std::ptrdiff_t>(source),
                         model.begin() + static_cast<std::ptrdiff_t>(source + part));
      REQUIRE(plan.copy_from(plan, source, target, part).has_value());
      if (part == 0) return;
      grow(target + part);
      std::ranges::copy(copied, model.begin() + static_cast<std::ptrdiff_t>(target));
      return;
    }
    case 4:
      REQUIRE(plan.resize(offset).has_value());
      model.resize(offset);
      return;
    default: REQUIRE(plan.flush().has_value()); return;
  }
}

}  // namespace

TEST_CASE("planning changes nothing of the base") {
  const auto base = file_of(numbered(5000, 1));
  const Bytes before = content(*base);
  const auto plan = plan_on(base);
  REQUIRE(plan->write_at(100, numbered(700, 2)).has_value());
  REQUIRE(plan->resize(50).has_value());
  REQUIRE(plan->zero_at(10, 20).has_value());
  CHECK(content(*base) == before);
}

TEST_CASE("random plans show what they record, and applied they give the same file") {
  const u32 seed = seed_of_run();
  INFO("VDISK_SEED=", seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    Bytes model = numbered(4000 + random() % 4000, static_cast<u32>(random()));
    const Bytes original = model;
    const auto base = file_of(original);
    const auto plan = plan_on(base);
    for (int step = 0; step < 12; ++step) change_randomly(*plan, model, random);
    REQUIRE(content(*plan) == model);

    const auto target = file_of(original);
    REQUIRE(apply(*plan, *target).has_value());
    REQUIRE(content(*target) == model);

    // What lies outside of the ranges told is as it was.
    Bytes patched = model;
    patched.resize(original.size());
    for (const PlannedRange& range : plan->changed_ranges()) {
      std::copy_n(original.begin() + static_cast<std::ptrdiff_t>(range.offset), range.length,
                  patched.begin() + static_cast<std::ptrdiff_t>(range.offset));
    }
    REQUIRE(patched == original);
  }
}

TEST_CASE("flushes stay between the changes that they divide, and end the application") {
  const auto plan = plan_on(file_of(numbered(5000, 3)));
  REQUIRE(plan->flush().has_value());  // nothing to divide yet
  REQUIRE(plan->write_at(0, numbered(10, 4)).has_value());
  REQUIRE(plan->flush().has_value());
  REQUIRE(plan->flush().has_value());
  REQUIRE(plan->write_at(4096, numbered(10, 5)).has_value());
  CHECK(plan->changes().size() == 3);
  CountingFile target(file_of(numbered(5000, 3)));
  REQUIRE(apply(*plan, target).has_value());
  CHECK(target.counts().flushes == 2);
}

TEST_CASE("a copy keeps what the source was when it was made") {
  const auto plan = plan_on(file_of(numbered(8192, 6)));
  const Bytes source = content(*plan);
  REQUIRE(plan->copy_from(*plan, 0, 8192, 4096).has_value());
  REQUIRE(plan->zero_at(0, 4096).has_value());
  Bytes copy(4096);
  REQUIRE(plan->read_at(8192, copy).has_value());
  CHECK(std::ranges::equal(copy, std::span(source).first(4096)));
  CHECK(plan->copy_from(*plan, 12000, 0, 4096).error().code == Errc::end_of_file);
}

TEST_CASE("holes: of the base where nothing was planned, and planned zeros") {
  constexpr u64 page = 64 * kib;  // of a MemoryFile
  const auto base = file_of(numbered(page, 7));
  REQUIRE(base->resize(10 * mib).has_value());
  const auto plan = plan_on(base);
  CHECK(plan->next_hole(0)->offset == page);
  CHECK(plan->next_hole(0)->length == 10 * mib - page);
  REQUIRE(plan->write_at(mib, numbered(4096, 8)).has_value());
  CHECK(plan->next_hole(0)->length == mib - page);
  CHECK(plan->next_hole(mib)->offset == mib + 4096);
  REQUIRE(plan->zero_at(0, 4096).has_value());
  CHECK(plan->next_hole(0)->offset == 0);
  CHECK(plan->next_hole(0)->length == 4096);
  const auto full = plan_on(file_of(numbered(page, 9)));
  CHECK(full->next_hole(0)->length == 0);
}
