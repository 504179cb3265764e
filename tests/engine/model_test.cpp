/// Random walks: write, zero, discard, flush, reopen, resize, compact, snapshot, merge and convert
/// on every subtype and on chains, against a flat model.
///
/// Every failure shows its seed; VDISK_SEED=N walks that one alone. VDISK_MODEL_SECONDS=N goes on
/// with new seeds for so long.
#include <chrono>
#include <cstdlib>
#include <deque>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "support/flat_model.h"
#include "support/memory_filesystem.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::FlatModel;

namespace {

struct Shape {
  std::string format;
  ImageType type;
  u32 block_size;
  u32 sector;
  u64 window;  ///< where the part of the disk that is used begins
  u64 size;    ///< of the disk at the start
};

constexpr u64 vhd_size = 2 * mib + 5 * 512;
constexpr u64 vhdx_size = 4 * mib + 3 * 4096;
constexpr u64 chunk = 4 * gib;  ///< of a VHDX with 512-byte sectors

std::vector<Shape> shapes() {
  const auto half = static_cast<u32>(512 * kib);
  const auto one = static_cast<u32>(mib);
  const auto two = static_cast<u32>(2 * mib);
  return {
      {"vhd", ImageType::dynamic, half, 512, 0, vhd_size},
      {"vhd", ImageType::dynamic, two, 512, 0, 3 * mib + 512},
      {"vhd", ImageType::fixed, 0, 512, 0, vhd_size},
      {"vhdx", ImageType::dynamic, one, 512, 0, vhdx_size},
      {"vhdx", ImageType::dynamic, one, 4096, 0, vhdx_size},
      {"vhdx", ImageType::dynamic, two, 512, 0, vhdx_size},
      {"vhdx", ImageType::fixed, one, 512, 0, vhdx_size},
      {"vhdx", ImageType::dynamic, one, 512, chunk - 2 * mib - 512, chunk + 2 * mib},
  };
}

/// One random sequence of operations on one chain of images in memory.
class Walk {
 public:
  Walk(const Shape& shape, u64 seed)
      : shape_(shape), random_(seed), model_(shape.size, shape.window) {}

  /// Empty, or what went wrong at which step after which steps.
  std::string run(int steps) {
    std::string wrong = start();
    for (int i = 0; i < steps && wrong.empty(); ++i) wrong = step();
    if (wrong.empty()) wrong = reopen();
    return wrong.empty() ? wrong : fmt::format("{}\n  {}", wrong, fmt::join(history_, "\n  "));
  }

 private:
  struct Range {
    u64 offset;
    u64 length;
  };

  u64 below(u64 limit) { return std::uniform_int_distribution<u64>(0, limit - 1)(random_); }
  bool one_in(u64 n) { return below(n) == 0; }
  const std::filesystem::path& leaf() const { return chain_.back(); }

  void note(std::string text) {
    history_.push_back(std::move(text));
    if (history_.size() > 40) history_.pop_front();
  }

  OpenOptions options(Access access) {
    OpenOptions result;
    result.access = access;
    result.parents = ParentPolicy::beside;
    result.file_system = files_;
    if (one_in(2)) result.metadata_cache_bytes = 64 * kib;
    return result;
  }

  std::string start() {
    CreateOptions create_options;
    create_options.target.path = next_path();
    create_options.target.type = shape_.type;
    if (shape_.block_size != 0) create_options.target.block_size = shape_.block_size;
    if (shape_.format == "vhdx") create_options.target.logical_sector_size = shape_.sector;
    create_options.size = shape_.size;
    create_options.open = options(Access::read_only);
    Progress progress;
    if (const auto made = create(create_options, progress); !made) return made.error().message;
    chain_.push_back(create_options.target.path);
    return open_leaf(Access::read_write);
  }

  std::filesystem::path next_path() { return fmt::format("/disks/{}.{}", names_++, shape_.format); }

  std::string open_leaf(Access access) {
    auto opened = Disk::open(leaf(), options(access));
    if (!opened) return fmt::format("open: {}", opened.error().message);
    disk_.emplace(*std::move(opened));
    return {};
  }

  std::string close() {
    const auto status = disk_->close();
    disk_.reset();
    return status ? std::string() : fmt::format("close: {}", status.error().message);
  }

  std::string step() {
    const u64 choice = below(100);
    if (choice < 38) return write();
    if (choice < 50) return zero();
    if (choice < 60) return discard();
    if (choice < 70) return flush();
    if (choice < 78) return read_back();
    if (choice < 81) return reopen();
    if (choice < 84) return drop();
    if (choice < 87) return one_in(3) ? shrink_leaf() : expand_leaf();
    if (choice < 90) return compact_one();
    if (choice < 95) return snapshot();
    if (choice < 98) return merge_leaf();
    return convert_leaf();
  }

  /// A single sector, a few, about a block, or blocks exactly.
  Range pick() {
    const u64 sectors = (model_.size() - model_.window()) / shape_.sector;
    const u64 per_block = std::max<u64>(shape_.block_size, 512 * kib) / shape_.sector;
    u64 length = 1 + below(16);
    u64 offset = below(sectors);
    if (one_in(4)) length = per_block / 2 + below(per_block);
    if (one_in(5)) {
      length = per_block;
      const u64 first = model_.window() / shape_.sector;
      offset = (first + offset) / per_block * per_block;
      offset = offset < first ? 0 : offset - first;
    }
    length = std::min(length, sectors - offset);
    return {model_.window() + offset * shape_.sector, length * shape_.sector};
  }

  std::vector<std::byte> content(u64 length) {
    std::vector<std::byte> data(length);
    if (one_in(8)) return data;
    std::minstd_rand fast(static_cast<unsigned>(below(1U << 30) + 1));
    for (auto& b : data) b = static_cast<std::byte>(fast() >> 8);
    return data;
  }

  std::string write() {
    const auto [offset, length] = pick();
    note(fmt::format("write {:#x}+{:#x}", offset, length));
    const auto data = content(length);
    if (const auto status = disk_->write(offset, data); !status) return status.error().message;
    model_.write(offset, data);
    return model_.difference(*disk_, offset, length);
  }

  std::string zero() {
    const auto [offset, length] = pick();
    note(fmt::format("zero {:#x}+{:#x}", offset, length));
    if (const auto status = disk_->zero(offset, length); !status) return status.error().message;
    model_.zero(offset, length);
    return model_.difference(*disk_, offset, length);
  }

  std::string discard() {
    const auto [offset, length] = pick();
    note(fmt::format("discard {:#x}+{:#x}", offset, length));
    if (const auto status = disk_->discard(offset, length); !status) return status.error().message;
    return model_.adopt_discarded(*disk_, offset, length, shape_.sector);
  }

  std::string flush() {
    note("flush");
    const auto status = disk_->flush();
    return status ? std::string() : fmt::format("flush: {}", status.error().message);
  }

  std::string read_back() {
    note("read back");
    return model_.difference(*disk_);
  }

  /// Clean close; the file must be faultless, and read the same when nobody may write.
  std::string reopen() {
    note("close and reopen");
    if (auto wrong = close(); !wrong.empty()) return wrong;
    if (auto wrong = check_chain(); !wrong.empty()) return wrong;
    if (auto wrong = open_leaf(Access::read_only); !wrong.empty()) return wrong;
    if (auto wrong = model_.difference(*disk_); !wrong.empty()) return "read-only: " + wrong;
    disk_.reset();
    if (auto wrong = open_leaf(Access::read_write); !wrong.empty()) return wrong;
    return model_.difference(*disk_);
  }

  /// Ends without close after a flush: what was flushed must be there.
  std::string drop() {
    note("flush, drop and reopen");
    if (auto wrong = flush(); !wrong.empty()) return wrong;
    disk_.reset();
    if (one_in(2)) {
      if (auto wrong = open_leaf(Access::read_only); !wrong.empty()) return wrong;
      if (auto wrong = model_.difference(*disk_); !wrong.empty()) return "in memory: " + wrong;
      disk_.reset();
    }
    if (auto wrong = open_leaf(Access::read_write); !wrong.empty()) return wrong;
    return model_.difference(*disk_);
  }

  std::string check_chain() {
    CheckOptions check_options;
    check_options.path = leaf();
    check_options.chain = true;
    check_options.open = options(Access::read_only);
    Progress progress;
    const auto reports = check(check_options, progress);
    if (!reports) return fmt::format("check: {}", reports.error().message);
    if (reports->size() != chain_.size()) return "check: not one report for each layer";
    for (const auto& [path, report] : *reports) {
      if (!report.clean()) return fmt::format("check: {}", report.findings.front().message);
    }
    return {};
  }

  std::string expand_leaf() {
    const u64 room = model_.window() + 9 * mib;
    if (model_.size() >= room) return {};
    const u64 more = one_in(2) ? shape_.sector * (1 + below(8)) : 1 * mib;
    note(fmt::format("expand by {:#x}", more));
    if (auto wrong = close(); !wrong.empty()) return wrong;
    ExpandOptions expand_options;
    expand_options.path = leaf();
    expand_options.size = model_.size() + more;
    expand_options.open = options(Access::read_write);
    Progress progress;
    const auto resized = expand(expand_options, progress);
    if (!resized) return fmt::format("expand: {}", resized.error().message);
    model_.resize(expand_options.size);
    return reopened();
  }

  std::string shrink_leaf() {
    const u64 less = one_in(2) ? shape_.sector * (1 + below(8)) : 1 * mib + shape_.sector;
    // A VHD child may not be smaller than its parent; beyond a larger parent nothing grows again.
    if (chain_.size() > 1 || model_.size() < model_.window() + mib + less) return {};
    note(fmt::format("shrink by {:#x}", less));
    if (auto wrong = close(); !wrong.empty()) return wrong;
    ShrinkOptions shrink_options;
    shrink_options.path = leaf();
    shrink_options.size = model_.size() - less;
    shrink_options.allow_data_loss = true;
    shrink_options.open = options(Access::read_write);
    Progress progress;
    const auto resized = shrink(shrink_options, progress);
    if (!resized) return fmt::format("shrink: {}", resized.error().message);
    model_.resize(*shrink_options.size);
    return reopened();
  }

  /// The leaf, or a layer below it, whose children must stay valid.
  std::string compact_one() {
    CompactOptions compact_options;
    compact_options.path = chain_[below(chain_.size())];
    compact_options.copy = one_in(3);
    compact_options.punch = !compact_options.copy && one_in(3);
    compact_options.open = options(Access::read_write);
    note(fmt::format("compact {}, copy {}", compact_options.path.string(), compact_options.copy));
    if (auto wrong = close(); !wrong.empty()) return wrong;
    Progress progress;
    auto estimate_options = compact_options;
    estimate_options.estimate = true;
    estimate_options.punch = false;
    const auto estimate = compact(estimate_options, progress);
    if (!estimate) return fmt::format("estimate: {}", estimate.error().message);
    const auto compacted = compact(compact_options, progress);
    if (!compacted) return fmt::format("compact: {}", compacted.error().message);
    if (compacted->new_file_size != estimate->new_file_size) {
      return fmt::format("compact: {} bytes, estimated {}", compacted->new_file_size,
                         estimate->new_file_size);
    }
    return reopened();
  }

  std::string reopened() {
    if (auto wrong = check_chain(); !wrong.empty()) return wrong;
    if (auto wrong = open_leaf(Access::read_write); !wrong.empty()) return wrong;
    return model_.difference(*disk_);
  }

  std::string snapshot() {
    if (chain_.size() > 5) return {};
    if (auto wrong = close(); !wrong.empty()) return wrong;
    CreateOptions create_options;
    create_options.target.path = next_path();
    const u64 smallest = shape_.format == "vhd" ? 512 * kib : 1 * mib;
    create_options.target.block_size = static_cast<u32>(smallest << (2 * below(2)));
    create_options.parent = leaf();
    create_options.open = options(Access::read_only);
    if (shape_.format == "vhd" && create_options.target.block_size > 512 * kib) {
      create_options.target.block_size = static_cast<u32>(2 * mib);
    }
    if (one_in(4) && model_.size() < model_.window() + 9 * mib) {
      model_.resize(model_.size() + 3 * shape_.sector);
      create_options.size = model_.size();
    }
    note(fmt::format("snapshot, blocks of {} KiB", *create_options.target.block_size / kib));
    Progress progress;
    const auto made = create(create_options, progress);
    if (!made) return fmt::format("snapshot: {}", made.error().message);
    chain_.push_back(create_options.target.path);
    return reopened();
  }

  std::string merge_leaf() {
    if (chain_.size() < 2) return {};
    const auto depth = static_cast<u32>(1 + below(chain_.size() - 1));
    MergeOptions merge_options;
    merge_options.child = leaf();
    merge_options.depth = depth;
    merge_options.delete_children = one_in(2);
    merge_options.open = options(Access::read_write);
    note(fmt::format("merge {} of {}, delete {}", depth, chain_.size(),
                     merge_options.delete_children));
    if (auto wrong = close(); !wrong.empty()) return wrong;
    Progress progress;
    const auto merged = merge(merge_options, progress);
    if (!merged) return fmt::format("merge: {}", merged.error().message);
    if (!merge_options.delete_children) {
      if (auto wrong = open_leaf(Access::read_only); !wrong.empty()) return "child: " + wrong;
      if (auto wrong = model_.difference(*disk_); !wrong.empty()) return "child: " + wrong;
      disk_.reset();
    }
    for (u32 i = 0; i < depth; ++i) {
      const bool there = files_->identity(leaf()).has_value();
      if (there == merge_options.delete_children) return "merge: wrong files removed";
      if (there && !files_->remove(leaf())) return "cannot remove a child";
      chain_.pop_back();
    }
    return reopened();
  }

  std::string convert_leaf() {
    if (auto wrong = close(); !wrong.empty()) return wrong;
    ConvertOptions convert_options;
    convert_options.source = leaf();
    const bool to_vhd = one_in(2) && shape_.sector == 512;
    convert_options.target.path =
        fmt::format("/disks/copy{}.{}", names_++, to_vhd ? "vhd" : "vhdx");
    convert_options.open = options(Access::read_only);
    note(fmt::format("convert to {}", convert_options.target.path.string()));
    Progress progress;
    const auto made = convert(convert_options, progress);
    if (!made) return fmt::format("convert: {}", made.error().message);
    auto copy = Disk::open(convert_options.target.path, options(Access::read_only));
    if (!copy) return fmt::format("copy: {}", copy.error().message);
    if (auto wrong = model_.difference(*copy); !wrong.empty()) return "copy: " + wrong;
    if (!files_->remove(convert_options.target.path)) return "cannot remove the copy";
    return reopened();
  }

  Shape shape_;
  std::mt19937_64 random_;
  FlatModel model_;
  std::shared_ptr<FileSystem> files_ = std::make_shared<test::MemoryFileSystem>();
  std::vector<std::filesystem::path> chain_;  ///< base first
  std::optional<Disk> disk_;
  std::deque<std::string> history_;
  int names_ = 0;
};

u64 number_from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string walk(const Shape& shape, u64 seed, int steps) {
  const auto wrong = Walk(shape, seed).run(steps);
  if (wrong.empty()) return wrong;
  return fmt::format("{} {} blocks of {} sectors of {}, VDISK_SEED={}: {}", shape.format,
                     name(shape.type), shape.block_size, shape.sector, seed, wrong);
}

}  // namespace

TEST_CASE("model: random operations on every subtype agree with a flat disk") {
  using Clock = std::chrono::steady_clock;
  constexpr int steps = 40;
  const auto until =
      Clock::now() + std::chrono::seconds(number_from_environment("VDISK_MODEL_SECONDS", 0));
  u64 seed = number_from_environment("VDISK_SEED", 1);
  do {
    for (const auto& shape : shapes()) {
      const auto wrong = walk(shape, seed, steps);
      CHECK_MESSAGE(wrong.empty(), wrong);
    }
    ++seed;
  } while (Clock::now() < until);
  MESSAGE("walked up to seed ", seed - 1);
}
