/// One file of one format, seen as a map from guest ranges to file ranges.
///
/// An Image never moves payload: it says where bytes are (extent_at), where new bytes may go
/// (reserve), makes written bytes visible (commit) and durable (flush). Payload I/O is done by the
/// caller on file(), outside every lock of the image.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vdisk/block_store.h"
#include "vdisk/error.h"
#include "vdisk/extent.h"
#include "vdisk/file.h"
#include "vdisk/guid.h"

#pragma GCC visibility push(default)
namespace vdisk {

enum class ImageType { fixed, dynamic, differencing };
[[nodiscard]] std::string_view name(ImageType type) noexcept;

/// Shape of a virtual disk; all values are bytes.
struct Geometry {
  u64 virtual_size = 0;
  u32 block_size = 0;  ///< allocation unit; 0 where the format has none (raw, fixed VHD)
  u32 logical_sector_size = 512;
  u32 physical_sector_size = 512;
};

struct Chs {
  u32 cylinders = 0;
  u32 heads = 0;
  u32 sectors = 0;
};

/// One way to find a parent, as the image states it.
struct ParentPath {
  std::string kind;  ///< "relative_path", "volume_path", "absolute_win32_path", "W2ru", "W2ku", ...
  std::string path;  ///< UTF-8 with the separators of the image
  bool well_formed = true;  ///< false: bad UTF-16 or an embedded NUL; such a path is never followed
};

/// What a differencing image says about its parent.
struct ParentLink {
  std::vector<Guid> accepted_ids = {};  ///< content ids of which the parent must have one
  std::vector<ParentPath> paths = {};   ///< in the order in which they are to be tried
  std::optional<i64> parent_modified_time =
      {};  ///< VHD: seconds since 1970; a difference is a warning
  /// False: a parent larger than the child is refused unless the caller named it (VHD, rule V35).
  bool larger_parent_allowed = true;
  /// The parent is a raw disk (VHD of Xen: an all-zero id). It has no identity that could be
  /// checked, so that it is opened only when the caller names it (OpenOptions::parent).
  bool parent_is_raw = false;
  u64 file_offset = 0;  ///< where in the child's file it says so, for messages
};

/// Something odd but tolerable that was seen while opening; `id` is the rule of FORMATS section 5.
struct Warning {
  std::string id;
  std::string message;
  u64 offset = 0;  ///< of the structure in its file
};

/// What the headers of one image say. Nothing here needs the whole block table to be read.
struct ImageInfo {
  std::string format = {};
  ImageType type = ImageType::dynamic;
  Geometry geometry = {};
  Guid id = {};  ///< VHD UniqueId; VHDX virtual disk id
  std::optional<Guid> data_write_id = {};
  std::string creator = {};
  std::optional<i64> created = {};  ///< seconds since 1970
  std::optional<Chs> chs = {};
  bool saved_state = false;
  std::optional<ParentLink> parent = {};
  std::vector<Warning> warnings = {};
};

struct BlockCounts {
  u64 allocated = 0;
  u64 total = 0;
};

class MetadataItems;  // vdisk/metadata.h

/// What of an image's description may be changed. Unset: stays.
struct DescriptionChange {
  std::optional<Guid> disk_id = {};  ///< ImageInfo::id: VHD UniqueId; VHDX the id the guest sees
  std::optional<u32> physical_sector_size = {};  ///< VHDX
  [[nodiscard]] bool empty() const { return !disk_id && !physical_sector_size; }
};

/// Threads: extent_at, reserve, commit, discard and flush may be called concurrently.
/// Crash: what commit and discard did is visible at once in this process and durable after flush;
/// before that, every sector reads as before or as committed (DESIGN section 4).
class Image {
 public:
  Image() = default;
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  virtual ~Image() = default;

  [[nodiscard]] virtual Geometry geometry() const = 0;
  [[nodiscard]] virtual File& file() const = 0;
  [[nodiscard]] virtual ImageInfo info() const = 0;
  [[nodiscard]] virtual Result<BlockCounts> count_blocks() const = 0;

  /// The longest run of one state that begins at `offset`, at most `limit` bytes (> 0) and never
  /// past the end of the disk; neighbouring blocks that follow each other in the file are merged.
  /// `offset` < virtual size. Need not be sector-aligned; bitmaps have sector granularity.
  [[nodiscard]] virtual Result<Extent> extent_at(u64 offset, u64 limit) const = 0;
  /// Whether extents leave out the holes of the host's file, so that nobody need look for them.
  [[nodiscard]] virtual bool extents_leave_out_holes() const { return false; }

  /// Finds or allocates the place for payload at `offset`; State::data, at most `limit` bytes.
  /// Sector-aligned. Newly allocated space reads as zeros; nobody sees it before commit.
  /// Makes durable whatever must be durable before the first visible change (VHDX write GUIDs).
  virtual Result<Extent> reserve(u64 offset, u64 limit) = 0;
  /// The payload of a reserved extent has been written; readers see it from now on.
  virtual Status commit(const Extent& written) = 0;

  /// Drops stored bytes by changing the map only. `to` is State::zero (the range must read as
  /// zeros) or State::absent (the content is not needed any more; reads give zeros or what was
  /// there, never the parent's bytes). Returns how many bytes from `offset` on were dealt with;
  /// 0 means that the map cannot express it there and, for State::zero, zeros must be written.
  virtual Result<u64> discard(u64 offset, u64 length, State to) = 0;

  /// Everything written and committed before survives a crash when this succeeds.
  virtual Status flush() = 0;
  /// The caller promises that nobody uses an extent that was handed out before the last flush:
  /// space freed before that flush may be used again.
  virtual void reclaim() = 0;

  /// Grows the disk to `new_size` (>= the present one) crash-safely; durable on success.
  virtual Status expand(u64 new_size) = 0;
  /// Cuts the disk to `new_size` (> 0, <= the present one) crash-safely; durable on success. What
  /// was stored behind it is given up, and reads as zeros when the disk grows again.
  virtual Status shrink(u64 new_size) = 0;

  /// The id a child's link must name: VHD UniqueId, VHDX DataWriteGuid.
  [[nodiscard]] virtual Guid content_id() const = 0;
  /// The content id this image will have after its next visible change. VHD: the present one.
  [[nodiscard]] virtual Guid next_content_id() = 0;
  /// Links the image durably to a parent: `link.accepted_ids` (one or two) and, when not empty,
  /// `link.paths` replace what is stored. wrong_disk_kind on an image that is not differencing.
  virtual Status link_parent(const ParentLink& link) = 0;

  /// Changes what the image says about itself, durably: the old or the new description. The content
  /// id changes with it. Errors: unsupported in this format, invalid_argument.
  virtual Status change_description(const DescriptionChange& change);

  /// The blocks that can be given up and moved; null where there are none (raw, fixed).
  [[nodiscard]] virtual BlockStore* block_store() { return nullptr; }
  /// The items of the image's metadata, as long as the image lives; null where it has none.
  [[nodiscard]] virtual MetadataItems* metadata_items() { return nullptr; }

  /// Writes back everything, marks the image clean and cuts spare room at the end of the file.
  /// Without it the destructor leaves the image as a crash would: valid, flushed data kept.
  virtual Status close() = 0;
};

}  // namespace vdisk
#pragma GCC visibility pop
