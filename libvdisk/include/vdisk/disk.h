/// Disk: the guest's view of an image and its chain of parents.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vdisk/file.h"
#include "vdisk/format.h"
#include "vdisk/image.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// What to do about a dirty VHDX log.
enum class ReadLog {
  automatic,      ///< in memory when opened read-only, to disk when opened for writing
  replay,         ///< to disk (needs write access to the file)
  memory,         ///< in memory; nothing is written
  require_clean,  ///< refuse (needs_replay)
  ignore,         ///< unsafe: read the file as if the log were empty; read-only
};

/// Which parents may be opened.
enum class ParentPolicy {
  none,    ///< only the leaf; reads that need a parent fail with parent_not_found
  beside,  ///< below the directory of the child, and below `parent_roots`
};

/// How images and their parents are found and opened.
struct OpenOptions {
  Access access = Access::read_only;
  ReadLog read_log = ReadLog::automatic;
  ParentPolicy parents = ParentPolicy::none;
  std::vector<std::filesystem::path> parent_roots = {};
  /// Names the leaf's parent explicitly; its identity is checked all the same.
  std::optional<std::filesystem::path> parent = {};
  /// Replaces a leading part of a parent's path: FROM -> TO, first match wins. TO counts as a root.
  std::vector<std::pair<std::string, std::filesystem::path>> parent_map = {};
  /// Format name; unset: found by content. `extension_decides_raw` below.
  std::optional<std::string> format = {};
  VhdSize vhd_size = VhdSize::current;
  bool lock = true;
  bool allow_device = false;
  /// Bytes of block tables and bitmaps kept in memory for each image.
  u64 metadata_cache_bytes = 8 * mib;
  std::shared_ptr<FileSystem> file_system = {};  ///< null: the host's
};

/// A run of the guest's disk in one state, resolved through the chain.
struct MappedExtent {
  u64 offset = 0;
  u64 length = 0;
  State state = State::absent;  ///< absent: no layer says anything; reads as zeros
  u64 file_offset = 0;
  std::size_t depth = 0;  ///< 0 is the leaf; meaningful for data and zero
};

/// One layer of a chain.
struct LayerInfo {
  std::filesystem::path path;
  ImageInfo image;
  u64 file_size = 0;
  u64 allocated_size = 0;
  bool dirty = false;  ///< the log had to be replayed
};

/// The guest's disk. Threads: read, write, zero, discard, extent_at and flush may be called from
/// many threads. Overlapping concurrent writes give one of the values in each sector.
/// Crash: see Image. Destroying a Disk without close() is safe: flushed data stay.
class Disk {
 public:
  /// Errors: those of FileSystem::open, not_image, corrupt kinds, parent_*, busy, needs_replay.
  static Result<Disk> open(const std::filesystem::path& path, const OpenOptions& options = {});

  Disk(Disk&&) noexcept;
  Disk& operator=(Disk&&) noexcept;
  ~Disk();

  [[nodiscard]] u64 size() const;
  [[nodiscard]] Geometry geometry() const;
  /// Number of layers, >= 1.
  [[nodiscard]] std::size_t depth() const;
  [[nodiscard]] Result<LayerInfo> layer(std::size_t index) const;
  [[nodiscard]] Result<BlockCounts> count_blocks(std::size_t index = 0) const;
  /// False when the leaf has a parent that the policy did not allow to open.
  [[nodiscard]] bool complete() const;

  /// Any byte range inside the disk; end_of_file behind it.
  Status read(u64 offset, std::span<std::byte> out) const;
  /// Sector-aligned ranges inside the disk; invalid_argument otherwise.
  Status write(u64 offset, std::span<const std::byte> data);
  /// The range reads as zeros afterwards. Sector-aligned.
  Status zero(u64 offset, u64 length);
  /// The content is not needed any more: reads give zeros where the map can say so, else the old
  /// bytes; never a parent's. Sector-aligned.
  Status discard(u64 offset, u64 length);
  /// Where the bytes are: the longest run from `offset`, at most `limit`. It holds until the range
  /// is written, zeroed or discarded: after that and a flush its place may be another block's.
  [[nodiscard]] Result<MappedExtent> extent_at(u64 offset, u64 limit) const;
  /// The same for one layer alone (0 is the leaf).
  [[nodiscard]] Result<Extent> layer_extent_at(std::size_t index, u64 offset, u64 limit) const;
  /// The file of a layer (index < depth()), for callers that do their own payload I/O.
  [[nodiscard]] File& layer_file(std::size_t index) const;
  /// Own payload I/O: the place for payload in the leaf (Image::reserve). Nobody else gets it until
  /// all of it is committed; what is never committed keeps freed space from being used again until
  /// the disk is closed. A partial write into a child must cover whole sectors.
  Result<Extent> reserve(u64 offset, u64 limit);
  /// What was reserved, or a part of it, has been written. A range that was discarded meanwhile
  /// stays discarded. Errors: invalid_argument for what is not reserved, or committed already.
  Status commit(const Extent& written);

  Status flush();
  /// Flushes, marks the image clean and releases everything; the Disk is unusable afterwards.
  Status close();

  struct Core;  ///< the inside, for the library itself

 private:
  friend struct DiskAccess;
  explicit Disk(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

/// Reads a range of any alignment and length; writes by read-modify-write of the edge sectors
/// (not atomic against other writers of these sectors).
Status write_unaligned(Disk& disk, u64 offset, std::span<const std::byte> data);
Status zero_unaligned(Disk& disk, u64 offset, u64 length);

}  // namespace vdisk
#pragma GCC visibility pop
