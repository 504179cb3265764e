// Fuzz target: a list of operations on an image of any subtype, with closes, deaths of the process
// and power failures in between, against a flat model of stamped sectors.
//
// Input: one byte for the shape, then operations of 6 bytes (Operation below).
#include <algorithm>
#include <array>
#include <optional>

#include "base/bytes.h"
#include "formats/formats.h"
#include "fuzz/byte_reader.h"
#include "fuzz/power_filesystem.h"
#include "fuzz/promise.h"
#include "fuzz/stamped_model.h"
#include "vdisk/operations.h"

namespace vdisk::fuzz {
namespace {

constexpr std::size_t most_operations = 48;
constexpr std::size_t operation_size = 6;
constexpr u64 most_growth = 3 * mib;
constexpr u16 first_parent_stamp = 0x8000;

struct Shape {
  std::string_view format;
  ImageType type;
  u32 block_size;
  u32 sector;
  u64 size;
};
constexpr u32 half_mib = 512 * kib;
constexpr u32 one_mib = mib;
constexpr u32 two_mib = 2 * mib;
constexpr std::array shapes{
    Shape{"vhd", ImageType::fixed, 0, 512, 300 * kib},
    Shape{"vhd", ImageType::dynamic, half_mib, 512, 2 * mib + u64{5} * 512},
    Shape{"vhd", ImageType::differencing, half_mib, 512, 2 * mib + u64{5} * 512},
    Shape{"vhdx", ImageType::fixed, one_mib, 512, 2 * mib},
    Shape{"vhdx", ImageType::dynamic, one_mib, 512, 4 * mib + u64{3} * 512},
    Shape{"vhdx", ImageType::dynamic, one_mib, 4096, 4 * mib + u64{3} * 4096},
    Shape{"vhdx", ImageType::dynamic, two_mib, 512, 5 * mib},
    Shape{"vhdx", ImageType::differencing, one_mib, 512, 4 * mib + u64{3} * 512},
};

/// 6 bytes: kind, position in 1/65536 of the disk, count of sectors, two parameters.
struct Operation {
  u8 kind = 0;
  u16 position = 0;
  u8 count = 0;
  u8 a = 0;
  u8 b = 0;
};

std::filesystem::path leaf_path(const Shape& shape) {
  return "/disks/leaf." + std::string(shape.format);
}

std::shared_ptr<MemoryFile> create_image(const Shape& shape, ImageType type,
                                         std::optional<ParentSpec> parent) {
  const Format* format = find_format(shape.format);
  CreateSpec spec;
  spec.type = type;
  spec.virtual_size = shape.size;
  if (shape.block_size != 0) spec.block_size = shape.block_size;
  if (shape.sector != 512) spec.logical_sector_size = shape.sector;
  spec.id.emplace().bytes.fill(static_cast<u8>(type) + 1);
  spec.parent = std::move(parent);
  require_success(format->complete(spec), "spec");
  auto file = std::make_shared<MemoryFile>();
  require_success(format->create(*file, spec), "create");
  return file;
}

class Walk {
 public:
  explicit Walk(const Shape& shape) : shape_(shape), model_(shape.size) {
    std::shared_ptr<MemoryFile> parent;
    if (shape.type == ImageType::differencing) parent = make_parent();
    files_ = std::make_shared<PowerFileSystem>(
        leaf_path(shape), create_image(shape, shape.type, parent_spec(parent)), parent);
    open(Access::read_write);
  }

  void run(ByteReader& reader) {
    for (std::size_t count = 0; count < most_operations && !reader.at_end(); ++count) {
      ByteReader bytes(reader.bytes(operation_size));
      const Operation operation{bytes.byte(), static_cast<u16>(bytes.number(2)), bytes.byte(),
                                bytes.byte(), bytes.byte()};
      apply(operation);
      if (files_->crashed()) recover();
    }
    close_and_reopen();
    if (files_->crashed()) recover();
  }

 private:
  struct Range {
    u64 offset = 0;
    u64 length = 0;
  };

  // Making the images.

  std::shared_ptr<MemoryFile> make_parent() {
    auto file = create_image(shape_, ImageType::dynamic, {});
    const Format* format = find_format(shape_.format);
    ImageOptions options;
    options.access = Access::read_write;
    auto image = format->open(file, options);
    require_success(image, "parent");
    for (u64 offset = 0; offset < shape_.size; offset += 700 * kib) {
      const u64 at = round_down(offset, shape_.sector);
      const auto stamp = static_cast<u16>(first_parent_stamp + at / mib);
      const auto place = (*image)->reserve(at, shape_.sector);
      require_success(place, "reserve in the parent");
      (void)file->write_at(place->file_offset, StampedModel::bytes(at, shape_.sector, stamp));
      require_success((*image)->commit(*place), "commit in the parent");
      model_.write(at, shape_.sector, stamp);
    }
    require_success((*image)->close(), "close of the parent");
    model_.flushed();
    return file;
  }

  std::optional<ParentSpec> parent_spec(const std::shared_ptr<MemoryFile>& parent) const {
    if (parent == nullptr) return std::nullopt;
    const auto image = find_format(shape_.format)->open(parent, ImageOptions{});
    require_success(image, "parent");
    ParentSpec spec;
    spec.format = shape_.format;
    spec.content_id = (*image)->content_id();
    spec.disk_id = (*image)->info().id;
    spec.geometry = (*image)->geometry();
    spec.file_name = "base." + std::string(shape_.format);
    spec.relative_path = ".\\" + spec.file_name;
    return spec;
  }

  // Opening.

  [[nodiscard]] OpenOptions options(Access access) const {
    OpenOptions options;
    options.access = access;
    options.parents = ParentPolicy::beside;
    options.file_system = files_;
    options.metadata_cache_bytes = 64 * kib;
    return options;
  }

  void open(Access access) {
    auto disk = Disk::open(leaf_path(shape_), options(access));
    require_success(disk, "open");
    disk_.emplace(*std::move(disk));
  }

  void require_clean() const {
    CheckReport report;
    require_success(find_format(shape_.format)->check(files_->leaf(), report), "check");
    require(report.clean(), report.clean() ? "" : report.findings.front().message);
  }

  void close_and_reopen() {
    const bool closed = disk_->close().has_value();
    require(closed, "close");
    disk_.reset();
    if (files_->crashed()) return;
    files_->settle();
    model_.flushed();
    require_clean();
    open(Access::read_only);
    model_.require_same(*disk_);
    disk_.reset();
    open(Access::read_write);
  }

  /// The process ends without close: its writes are there, and of what it had not flushed the map
  /// may know or not.
  void die() {
    disk_.reset();
    files_->settle();
    open(Access::read_only);
    model_.adopt(*disk_);
    disk_.reset();
    open(Access::read_write);
  }

  /// After a power failure: read-only first, then recovered, then closed.
  void recover() {
    disk_.reset();
    files_->settle();
    open(Access::read_only);
    settle_size();
    model_.adopt(*disk_);
    disk_.reset();
    open(Access::read_write);
    if (files_->crashed()) return recover();  // the next failure came during the recovery
    model_.require_same(*disk_);
    close_and_reopen();
    if (files_->crashed()) recover();
  }

  /// A growth that the failure interrupted may have happened or not.
  void settle_size() {
    if (growing_to_ && disk_->size() == *growing_to_) model_.grow(*growing_to_);
    growing_to_.reset();
  }

  // Operations.

  [[nodiscard]] Range range_of(const Operation& operation) const {
    const u64 sectors = model_.size() / shape_.sector;
    u64 first = sectors * operation.position / 65536;
    u64 count = 1 + operation.count % 16u;
    if (operation.count >= 0xC0) {  // a whole block
      const u64 per_block = std::max<u64>(shape_.block_size, half_mib) / shape_.sector;
      first = first / per_block * per_block;
      count = per_block;
    }
    count = std::min(count, sectors - first);
    return {first * shape_.sector, count * shape_.sector};
  }

  void apply(const Operation& operation) {
    switch (operation.kind % 12) {
      case 0:
      case 1:
      case 2:
      case 3: return write(range_of(operation));
      case 4: return zero(range_of(operation));
      case 5: return discard(range_of(operation));
      case 6: return flush();
      case 7: return close_and_reopen();
      case 8: return die();
      case 9: return files_->crash_at({operation.a % 32u, operation.b});
      case 10: return files_->crash_at({0, operation.b});
      default: return grow(operation);
    }
  }

  void write(Range range) {
    const u16 stamp = next_stamp_++;
    const auto written =
        disk_->write(range.offset, StampedModel::bytes(range.offset, range.length, stamp));
    model_.write(range.offset, range.length, stamp);
    require_success(written, "write");
  }

  void zero(Range range) {
    require_success(disk_->zero(range.offset, range.length), "zero");
    model_.write(range.offset, range.length, 0);
  }

  void discard(Range range) {
    require_success(disk_->discard(range.offset, range.length), "discard");
    model_.discard(range.offset, range.length);
    model_.adopt_range(*disk_, range.offset, range.length);
  }

  void flush() {
    require_success(disk_->flush(), "flush");
    if (!files_->crashed()) model_.flushed();
  }

  void grow(const Operation& operation) {
    const u64 size = model_.size() + (u64{1} + operation.a) * shape_.sector;
    if (size > shape_.size + most_growth) return;
    require(disk_->close().has_value(), "close before growth");
    disk_.reset();
    if (files_->crashed()) return;
    files_->settle();
    model_.flushed();
    growing_to_ = size;
    if (operation.count >= 0x80) files_->crash_at({operation.count % 32u, operation.b});
    const ExpandOptions expand_options{
        .path = leaf_path(shape_), .size = size, .open = options(Access::read_write)};
    Progress progress;
    require_success(expand(expand_options, progress), "expand");
    if (files_->crashed()) return;
    files_->settle();
    growing_to_.reset();
    model_.grow(size);
    open(Access::read_write);
  }

  const Shape& shape_;
  StampedModel model_;
  std::shared_ptr<PowerFileSystem> files_;
  std::optional<Disk> disk_;
  std::optional<u64> growing_to_;
  u16 next_stamp_ = 1;
};

}  // namespace
}  // namespace vdisk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vdisk::fuzz;
  ByteReader reader(std::as_bytes(std::span(data, size)));
  Walk walk(shapes[reader.byte() % shapes.size()]);
  walk.run(reader);
  return 0;
}
