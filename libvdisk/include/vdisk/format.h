/// The row that describes an image format: how to recognise, open, create, check and dump it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vdisk/image.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// Which field gives the size of a VHD (FORMATS 1.5).
enum class VhdSize { current, chs };

/// How changes of a writable image reach the disk.
enum class Durability {
  crash_safe,   ///< ordered and logged, as DESIGN section 4 says
  unpublished,  ///< the file has no name yet: close() writes everything, without order or log
};

struct ImageOptions {
  Access access = Access::read_only;
  Durability durability = Durability::crash_safe;
  VhdSize vhd_size = VhdSize::current;
  bool ignore_dirty_log = false;  ///< unsafe: open without replaying
  u64 metadata_cache_bytes = 8 * mib;
};

/// What create writes about the parent of a differencing image.
struct ParentSpec {
  std::string format;               ///< name of the parent's format; complete() refuses another one
  Guid content_id;                  ///< Image::content_id of the parent
  Guid disk_id;                     ///< ImageInfo::id of the parent
  Geometry geometry;                ///< of the parent
  i64 modified_time = 0;            ///< seconds since 1970
  std::string file_name;            ///< UTF-8, without directories
  std::string relative_path;        ///< UTF-8, `\` separators, e.g. `.\base.vhdx`
  std::string absolute_win32_path;  ///< UTF-8; empty when no Windows path is known
};

/// A new, empty image. Unset options take the format's defaults.
struct CreateSpec {
  ImageType type = ImageType::dynamic;
  u64 virtual_size = 0;
  std::optional<u32> block_size = {};
  /// Unset: the parent's, else the format's default.
  std::optional<u32> logical_sector_size = {};
  std::optional<u32> physical_sector_size = {};
  /// VHD UniqueId, VHDX virtual disk id. Unset: complete() takes the parent's disk id where the
  /// format says that both are equal (VHDX), else a random one.
  std::optional<Guid> id = {};
  i64 created = 0;  ///< seconds since 1970
  std::optional<ParentSpec> parent = {};
};

enum class Severity { info, warning, error };
[[nodiscard]] std::string_view name(Severity severity) noexcept;

/// One thing that check found. `id` is stable: the rule of FORMATS section 5, or a name.
struct Finding {
  std::string id;
  Severity severity = Severity::info;
  u64 offset = 0;  ///< of the structure in its file
  std::string message;
  std::string repair = {};  ///< what a repair would do; empty where nothing can be done
};

struct CheckReport {
  std::vector<Finding> findings;  ///< at most max_findings; the rest is only counted
  u64 suppressed_findings = 0;
  u64 blocks_total = 0;
  u64 blocks_allocated = 0;
  u64 bytes_reclaimable = 0;
  static constexpr std::size_t max_findings = 1000;

  void add(Finding finding);
  /// No finding is worse than Severity::info.
  [[nodiscard]] bool clean() const noexcept;

 private:
  bool worse_than_info_ = false;
};

/// One thing that a repair does.
struct RepairAction {
  std::string id;  ///< of the finding that it answers
  u64 offset = 0;  ///< of the structure in its file
  std::string message;
};

struct RepairReport {
  std::vector<RepairAction> actions;  ///< at most max_actions; the rest is only counted
  u64 suppressed_actions = 0;
  static constexpr std::size_t max_actions = 1000;

  void add(RepairAction action);
};

/// What the caller knows about an image that cannot say it itself any more.
struct RebuildHints {
  std::optional<u64> virtual_size = {};
  std::optional<u32> block_size = {};
};

/// What rebuilding the structures of a damaged file brought to light.
struct Rebuilt {
  u64 data_end = 0;  ///< bytes of the file from here on hold nothing of the guest's
  std::vector<Warning> assumptions = {};  ///< what nothing in the file proves
};

/// One field of an on-disk structure, for dump.
struct Field {
  std::string name;
  u64 offset = 0;  ///< absolute, in the file
  u64 size = 0;
  std::string value;
};
struct Structure {
  std::string name;  ///< e.g. "header 1", "log entry", "BAT"
  u64 offset = 0;
  u64 size = 0;
  std::vector<Field> fields;
};
using StructureSink = std::function<Status(const Structure&)>;

/// How sure probing is.
enum class Match {
  none,
  head,  ///< a signature in bytes that a guest could have written (start of the file)
  tail,  ///< a valid trailer behind the guest's data
};

/// Bytes of a file that probing looks at.
struct ProbeWindow {
  std::span<const std::byte> head;  ///< the first bytes, at most 512
  std::span<const std::byte> tail;  ///< the last bytes, at most 1024, ending at the end of the file
  u64 file_size = 0;
};

/// One row of the table in formats/formats.h. Functions never print, block on anything but the
/// File, or start threads.
struct Format {
  std::string_view name;
  std::span<const std::string_view> extensions;  ///< lower case, with the dot
  /// Any file is one of these (raw): chosen by name or extension only, never by content.
  bool matches_any_content = false;
  /// A differencing image stores when its parent was changed last (VHD).
  bool children_know_times = false;
  Match (*probe)(const ProbeWindow&);
  /// Whether a log must be replayed before the image may be read.
  Result<bool> (*needs_recovery)(const File&);
  /// Replays the log into the file (which may be an overlay): all targets are validated before the
  /// first write. Idempotent.
  Status (*recover)(File&);
  Result<std::unique_ptr<Image>> (*open)(std::shared_ptr<File>, const ImageOptions&);
  /// Fills in the defaults of a spec and refuses what the format cannot hold (invalid_argument,
  /// virtual_size_invalid, block_size_invalid ...). Writes nothing.
  Status (*complete)(CreateSpec&);
  /// Lays an empty image out in an empty file. Does not flush.
  Status (*create)(File&, const CreateSpec&);
  /// Adds findings. Never changes the file. An error only when the file cannot be read at all.
  Status (*check)(const File&, CheckReport&);
  Status (*dump)(const File&, const StructureSink&);
  /// Puts right what can be proved from what is still sound; what is beyond that is left. The
  /// changes and the flushes between them are in an order in which every part of them that a crash
  /// can leave reads as before, and a rerun finishes. The File may be a plan of these changes.
  /// Errors: io only.
  Status (*repair)(File&, RepairReport&);
  /// For salvage: makes a view of a damaged file openable, from what is left of its structures and,
  /// where nothing is left, from assumptions. The view grows, so that entries which point behind
  /// the end of the file open; it is never written back. Errors: those of opening, io.
  Result<Rebuilt> (*rebuild)(File& view, const RebuildHints&);
  /// Whether a file with one of the extensions, in whose content no format sees itself, is an image
  /// that a crash left without its signature. Null: that cannot happen.
  Result<bool> (*lost_signature)(const File&) = nullptr;
};

}  // namespace vdisk
#pragma GCC visibility pop
