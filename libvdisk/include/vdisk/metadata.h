/// Metadata: small named items that live in an image beside the guest's data (FORMATS 2.7), and
/// changes of what an image says about itself.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "vdisk/disk.h"
#include "vdisk/progress.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// One item of an image's metadata.
struct MetadataItemInfo {
  Guid id;
  bool is_user = false;          ///< of an application; all others belong to the format
  bool is_virtual_disk = false;  ///< describes the disk, not the file: children inherit it
  bool is_required = false;
  u64 length = 0;
  u64 file_offset = 0;  ///< of the content; 0 when it is empty
};

/// Which item; a user item and one of the format may have the same id.
struct MetadataKey {
  Guid id;
  bool is_user = true;
};

/// At most this many user items of at most this many bytes (FORMATS 2.7).
inline constexpr u64 max_user_items = 1024;
inline constexpr u64 max_metadata_item_length = mib;

/// The items of one open image. Threads: one at a time.
/// Crash: each change is the old or the new state as a whole, and durable when it returns.
class MetadataItems {
 public:
  MetadataItems() = default;
  MetadataItems(const MetadataItems&) = delete;
  MetadataItems& operator=(const MetadataItems&) = delete;
  virtual ~MetadataItems() = default;

  /// In the order of the table.
  [[nodiscard]] virtual std::vector<MetadataItemInfo> list() const = 0;
  /// Errors: not_found.
  [[nodiscard]] virtual Result<std::vector<std::byte>> get(const MetadataKey& key) const = 0;
  /// Adds or replaces a user item. Errors: limit, metadata_full, invalid_argument (a zero id).
  virtual Status set(const Guid& id, std::span<const std::byte> content, bool is_virtual_disk) = 0;
  /// Removes a user item. Errors: not_found.
  virtual Status remove(const Guid& id) = 0;
};

/// Lists the items of an image. Errors: unsupported where the format has none.
Result<std::vector<MetadataItemInfo>> list_metadata(const std::filesystem::path& path,
                                                    const OpenOptions& options);
/// The content of one item. Errors: not_found, unsupported.
Result<std::vector<std::byte>> get_metadata(const std::filesystem::path& path,
                                            const MetadataKey& key, const OpenOptions& options);

/// Changes of one image's metadata, made in this order.
struct MetadataChange {
  struct Item {
    Guid id;
    std::vector<std::byte> content = {};
    bool is_virtual_disk = false;
  };
  std::filesystem::path path;
  std::vector<Guid> remove = {};
  std::vector<Item> set = {};
  DescriptionChange description = {};
  /// Change what the guest can see although images exist that name this one as their parent: they
  /// become invalid.
  bool force_children = false;
  OpenOptions open = {};
};
struct ChangedMetadata {
  u64 removed_items = 0;
  u64 set_items = 0;
};
/// Errors: those of MetadataItems, has_children (a visible change), unsupported.
Result<ChangedMetadata> change_metadata(const MetadataChange& change, Progress& progress);

}  // namespace vdisk
#pragma GCC visibility pop
