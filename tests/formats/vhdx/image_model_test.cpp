// Random operations against a flat model, with and without power loss.
#include <cstring>

#include "base/bytes.h"
#include "formats/vhdx/image_fixture.h"
#include "support/crash_file.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;
using vdisk::test::CrashFile;

namespace {

/// Every value that a sector may have after a crash, newest last.
class Model {
 public:
  Model(u64 size, std::vector<std::byte> parent) : parent_(std::move(parent)), now_(size) {
    std::copy_n(parent_.begin(), std::min<u64>(parent_.size(), size), now_.begin());
    durable_ = now_;
  }
  [[nodiscard]] const std::vector<std::byte>& parent() const { return parent_; }
  [[nodiscard]] const std::vector<std::byte>& now() const { return now_; }
  [[nodiscard]] u64 size() const { return now_.size(); }

  void write(u64 offset, std::span<const std::byte> data) {
    std::ranges::copy(data, now_.begin() + static_cast<std::ptrdiff_t>(offset));
    issued_.push_back({offset, {data.begin(), data.end()}});
  }
  void flushed() {
    durable_ = now_;
    issued_.clear();
  }
  void restart(std::vector<std::byte> content) {
    now_ = std::move(content);
    flushed();
  }
  void grow(u64 size) {
    now_.resize(size);
    durable_ = now_;
  }

  /// Each sector is as flushed, or one of the values that were written since.
  [[nodiscard]] bool may_be(std::span<const std::byte> content) const {
    constexpr u64 sector = 512;
    constexpr u64 many = 64 * kib;
    for (u64 at = 0; at < content.size(); at += sector) {
      const u64 ahead = std::min(many, content.size() - at);
      if (at % many == 0 &&
          std::ranges::equal(content.subspan(at, ahead), std::span(durable_).subspan(at, ahead))) {
        at += ahead - sector;
        continue;
      }
      const auto found = content.subspan(at, sector);
      if (std::ranges::equal(found, std::span(durable_).subspan(at, sector))) continue;
      const bool issued = std::ranges::any_of(issued_, [&](const Issue& issue) {
        return issue.offset <= at && at + sector <= issue.offset + issue.data.size() &&
               std::ranges::equal(found, std::span(issue.data).subspan(at - issue.offset, sector));
      });
      if (!issued) {
        MESSAGE("sector at " << at);
        return false;
      }
    }
    return true;
  }

 private:
  struct Issue {
    u64 offset;
    std::vector<std::byte> data;
  };
  std::vector<std::byte> parent_;
  std::vector<std::byte> now_;
  std::vector<std::byte> durable_;
  std::vector<Issue> issued_;
};

struct Guest {
  Shape shape;
  std::mt19937 random;
  std::unique_ptr<Image> image;
  Model model;
  std::shared_ptr<CrashFile> power = nullptr;

  [[nodiscard]] bool crashed() const { return power && power->crashed(); }
  u64 pick(u64 limit) { return random() % limit; }

  /// A sector-aligned range, often short, often at a block's edge.
  std::pair<u64, u64> range() {
    const u64 sectors = model.size() / shape.sector_size;
    u64 first = pick(sectors);
    if (pick(3) == 0)
      first = round_down(first * shape.sector_size, shape.block_size) / shape.sector_size;
    const u64 longest = std::min(sectors - first, pick(4) == 0 ? 2 * mib / shape.sector_size : 20);
    const u64 count = 1 + pick(longest);
    return {first * shape.sector_size, count * shape.sector_size};
  }

  void step() {
    const auto [offset, length] = range();
    switch (pick(10)) {
      case 0: {
        model.write(offset, std::vector<std::byte>(length));
        must(guest_zero(*image, offset, length));
        break;
      }
      case 1: drop_block(offset); break;
      case 2:
        must(image->flush());
        if (!crashed()) model.flushed();
        break;
      case 3: image->reclaim(); break;
      default: {
        const auto data = pattern(length, static_cast<u32>(random()));
        model.write(offset, data);
        must(guest_write(*image, offset, data));
      }
    }
  }

  /// A discard to `absent` of a whole block reads as zeros here: the map can say so.
  void drop_block(u64 offset) {
    const u64 begin = round_down(offset, shape.block_size);
    const u64 length = std::min<u64>(shape.block_size, model.size() - begin);
    if (shape.type != ImageType::fixed) model.write(begin, std::vector<std::byte>(length));
    u64 done = 0;
    while (done < length) {
      const u64 step = must(image->discard(begin + done, length - done, State::absent));
      REQUIRE(step > 0);
      done += step;
    }
  }

  void compare() const {
    REQUIRE(guest_read(*image, 0, model.size(), model.parent()) == model.now());
  }
};

Guest make_guest(const Shape& shape, u32 seed, const std::shared_ptr<File>& file) {
  static const auto longest_parent = pattern(8 * mib, 1);
  std::vector<std::byte> parent;
  if (shape.type == ImageType::differencing) {
    parent.assign(longest_parent.begin(),
                  longest_parent.begin() + static_cast<std::ptrdiff_t>(shape.size));
  }
  return {shape, std::mt19937(seed), open(file), Model(shape.size, parent)};
}

const Shape shapes[] = {
    {.type = ImageType::dynamic, .size = 4 * mib + 512},
    {.type = ImageType::dynamic, .size = 5 * mib, .block_size = 2 * mib, .sector_size = 4096},
    {.type = ImageType::fixed, .size = 3 * mib},
    {.type = ImageType::differencing, .size = 4 * mib + 512},
    {.type = ImageType::differencing, .size = 5 * mib, .block_size = 2 * mib, .sector_size = 4096},
};

}  // namespace

TEST_CASE("random operations read back as in a flat model, and after reopening") {
  for (const Shape& shape : shapes) {
    for (u32 seed = 1; seed <= 2; ++seed) {
      INFO("seed " << seed << ", " << name(shape.type) << ", blocks of " << shape.block_size);
      const auto file = make_image(shape);
      Guest guest = make_guest(shape, seed, file);
      for (int session = 0; session < 2; ++session) {
        for (int round = 0; round < 30; ++round) guest.step();
        guest.compare();
        must(guest.image->close());
        require_clean(*file);
        guest.image = open(file);
        guest.compare();
      }
    }
  }
}

TEST_CASE("after a power loss flushed data are there, and no sector has foreign bytes") {
  for (const Shape& shape : shapes) {
    for (u32 seed = 1; seed <= 2; ++seed) {
      INFO("seed " << seed << ", " << name(shape.type) << ", blocks of " << shape.block_size);
      auto file = std::make_shared<CrashFile>(*make_image(shape));
      Guest guest = make_guest(shape, seed, file);
      guest.power = file;
      for (int crash = 0; crash < 5; ++crash) {
        file->crash_before(guest.pick(40), static_cast<u32>(guest.random()));
        const u64 rounds = 1 + guest.pick(30);
        for (u64 round = 0; round < rounds && !guest.crashed(); ++round) guest.step();
        must(guest.image->close());
        if (!guest.crashed()) guest.model.flushed();
        file->crash_now();
        const auto left = file->remains();
        if (must(format.needs_recovery(*left))) must(format.recover(*left));
        require_clean(*left);
        file = std::make_shared<CrashFile>(*left);
        guest.image = open(file);
        guest.power = file;
        auto content = guest_read(*guest.image, 0, shape.size, guest.model.parent());
        REQUIRE(guest.model.may_be(content));
        guest.model.restart(std::move(content));
      }
    }
  }
}

namespace {

/// Allocation in fresh and in recycled space, bits, discard and reuse, several flushes.
void run_script(Guest& guest) {
  const auto write = [&guest](u64 offset, u64 length) {
    const auto data = pattern(length, static_cast<u32>(offset + length));
    guest.model.write(offset, data);
    must(guest_write(*guest.image, offset, data));
  };
  const auto flush = [&guest] {
    must(guest.image->flush());
    if (!guest.crashed()) guest.model.flushed();
    guest.image->reclaim();
  };
  write(4096, 8192);
  write(mib + 512, 3584);
  flush();
  write(8192, 8192);
  flush();
  write(2 * mib, mib);
  guest.drop_block(mib);
  flush();
  write(3 * mib, 4096);
  flush();
  write(512, 512);
  flush();
  write(mib + 4096, 4096);
  guest.drop_block(2 * mib);
  must(guest.image->close());
  if (!guest.crashed()) guest.model.flushed();
}

/// An image whose free space holds old bytes.
std::shared_ptr<MemoryFile> make_used_image(const Shape& shape) {
  auto file = make_image(shape);
  must(file->write_at(4 * mib, pattern(2 * mib, 77)));
  return file;
}

}  // namespace

TEST_CASE("a power loss before any call of a short session loses nothing that was flushed") {
  constexpr u32 rounds = 1;  // a few hundred when something changes here
  for (const auto type : {ImageType::dynamic, ImageType::differencing}) {
    const Shape shape{.type = type, .size = 4 * mib};
    const auto start = make_used_image(shape);
    bool reached_end = false;
    for (u64 call = 0; !reached_end; ++call) {
      for (u32 round = 0; round < rounds; ++round) {
        const u32 seed = static_cast<u32>(call) * rounds + round;
        INFO("call " << call << ", seed " << seed << ", " << name(type));
        const auto file = std::make_shared<CrashFile>(*start);
        Guest guest = make_guest(shape, 5, file);
        guest.power = file;
        file->crash_before(call, seed);
        run_script(guest);
        reached_end = !guest.crashed();
        if (reached_end) file->crash_now();
        const auto left = file->remains();
        if (must(format.needs_recovery(*left))) must(format.recover(*left));
        require_clean(*left);
        const auto image = open(left, Access::read_only);
        REQUIRE(guest.model.may_be(guest_read(*image, 0, shape.size, guest.model.parent())));
      }
    }
  }
}
