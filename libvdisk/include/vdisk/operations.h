/// Long operations: plain synchronous functions over a Progress. Run them through Job to have them
/// on a thread: `Job<Merged>::start([=](Progress& p) { return merge(options, p); })`.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "vdisk/byte_stream.h"
#include "vdisk/disk.h"
#include "vdisk/format.h"
#include "vdisk/progress.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// How the content came into a new image.
struct CopyReport {
  u64 source_size = 0;      ///< of the disk that was copied; the new one may be larger
  u64 written_bytes = 0;    ///< what was not zero
  u64 cloned_bytes = 0;     ///< storage shared with the source instead of copied
  std::string digest = {};  ///< of the content, as hash has it; empty unless it was verified
};

/// Result of create, convert and snapshot.
struct CreatedDisk {
  std::filesystem::path path;
  Guid id;
  u64 virtual_size = 0;
  std::string format;
  ImageType type = ImageType::dynamic;
  u32 block_size = 0;
  std::optional<CopyReport> copied = {};  ///< when there was a source
};

/// Why a compaction gave nothing back.
enum class NoGain {
  none,               ///< it did give something back
  fixed,              ///< the file of a fixed or raw disk always has its full size
  all_in_use,         ///< every stored block holds bytes that are not zero
  zeros_hide_parent,  ///< blocks of zeros in a child that only their bytes keep the parent's away
  parent_unknown,     ///< blocks that read as zeros only if the parent, not opened, does
};
/// Stable lower-case name of the enumerator.
[[nodiscard]] std::string_view name(NoGain reason) noexcept;

struct Compacted {
  u64 reclaimed_bytes = 0;  ///< of the file's size
  u64 moved_blocks = 0;
  u64 old_file_size = 0;
  u64 new_file_size = 0;
  u64 old_allocated_size = 0;  ///< of the host
  u64 new_allocated_size = 0;  ///< of the host; as before when only estimated
  u64 stored_blocks = 0;       ///< before
  u64 zero_blocks = 0;         ///< given up, their guest content being zero or absent
  u64 zero_block_bytes = 0;    ///< what the file spent on them
  u64 unused_bytes = 0;        ///< of the file before: holes and leaks between structures
  u64 tail_bytes = 0;          ///< of the file before: behind the last structure
  u64 kept_zero_blocks = 0;    ///< NoGain::zeros_hide_parent
  u64 unknown_blocks = 0;      ///< NoGain::parent_unknown
  u64 punched_bytes = 0;       ///< zeros inside stored blocks given back to the host
  NoGain no_gain = NoGain::none;
};

struct Merged {
  u64 merged_bytes = 0;
  std::filesystem::path into;
  std::vector<std::filesystem::path> removed_files = {};
  std::vector<std::filesystem::path> relinked_files = {};  ///< children of a removed leaf
};

/// Where the backup of a disk's GUID partition table is after a change of the size.
enum class GptPlace {
  none,         ///< the disk has no such table
  at_end,       ///< where it has to be, at the end of the disk
  moved,        ///< the same, and this operation has moved it there
  left_behind,  ///< at the former end: some systems complain about that
};
/// Stable lower-case name of the enumerator.
[[nodiscard]] std::string_view name(GptPlace place) noexcept;

struct Resized {
  u64 old_size = 0;
  u64 new_size = 0;
  u64 reclaimed_bytes = 0;  ///< of the file's size
  GptPlace gpt = GptPlace::none;
};

struct DifferingRange {
  u64 offset = 0;
  u64 length = 0;
};

struct Comparison {
  bool identical = true;
  u64 size_a = 0;
  u64 size_b = 0;
  std::optional<u64> first_difference = {};
  std::vector<DifferingRange> ranges = {};  ///< only when asked for
};

struct Digest {
  std::string algorithm;
  std::string hex;
  u64 virtual_size = 0;
  u64 bytes_hashed = 0;  ///< bytes really read
};

/// What a repair did, or would do.
struct Repaired {
  CheckReport before;  ///< findings in the file as it was
  CheckReport after;   ///< what the repair leaves, or would leave
  std::vector<RepairAction> actions = {};
  u64 suppressed_actions = 0;
  bool applied = false;   ///< false: a dry run, or there was nothing to do
  u64 changed_bytes = 0;  ///< of the file as it was
  bool opens_before = false;
  bool opens_after = false;
  u64 unreadable_bytes_before = 0;  ///< guest bytes that an image which opens could not read
  u64 unreadable_bytes_after = 0;
};

/// What taking a repair back restored, or would restore.
struct Undone {
  u64 restored_bytes = 0;
  u64 old_size = 0;  ///< of the image: the one that comes back
  u64 new_size = 0;  ///< the one that the repair made
  bool applied = false;
};

/// A range of the guest's disk that could not be read.
struct LostRange {
  u64 offset = 0;
  u64 length = 0;
  Errc code = Errc::io;
  std::string reason;  ///< of its first byte
};

/// What a salvage brought home. In the new image lost ranges read as zeros.
struct Salvaged {
  CreatedDisk created;
  u64 lost_bytes = 0;           ///< of the guest's disk
  std::vector<LostRange> lost;  ///< ascending, neighbours of one code joined
  u64 suppressed_ranges = 0;    ///< beyond max_lost_ranges; their bytes are counted
  /// What nothing in the file proves: if it is wrong, what was read is wrong.
  std::vector<Warning> assumptions;
  CheckReport found;  ///< what check says about the image
  static constexpr std::size_t max_lost_ranges = std::size_t{1} << 20;
};

/// Any output, for callers that keep jobs of several kinds in one place.
using JobOutput = std::variant<std::monostate, CreatedDisk, Compacted, Merged, Resized, Comparison,
                               Digest, CheckReport, Repaired, Undone, Salvaged>;

/// What a new image shall look like. Unset fields take the format's defaults.
struct Target {
  std::filesystem::path path;
  std::optional<std::string> format = {};  ///< unset: by the extension of the path
  std::optional<ImageType> type = {};      ///< unset: differencing with a parent, else dynamic
  std::optional<u32> block_size = {};
  std::optional<u32> logical_sector_size = {};
  std::optional<u32> physical_sector_size = {};
  std::optional<Guid> id = {};
  u64 size_multiple = 1;  ///< the size of the disk is rounded up to a multiple of this
  bool replace = false;   ///< an existing file of that name may be replaced
};

/// Creates an image: empty, filled from `source`, or a child of `parent`.
/// Crash: the path is absent (or the old file), or the complete image (DESIGN section 4).
struct CreateOptions {
  Target target;
  std::optional<u64> size = {};  ///< bytes; unset: the size of the source or the parent
  std::optional<std::filesystem::path> source = {};
  std::optional<std::filesystem::path> parent = {};
  /// A Windows path of the parent to store beside the relative one; unset: none is known.
  std::optional<std::string> parent_windows_path = {};
  OpenOptions open = {};  ///< for the source and the parent
};
Result<CreatedDisk> create(const CreateOptions& options, Progress& progress);

/// Whether the storage of a source may be shared instead of copied (reflinks).
enum class Clone {
  automatic,  ///< where the new image is fixed or raw, so that stored zeros take no more space
  always,     ///< wherever the host can
  never,
};

/// Copies the guest's content of a disk (the whole chain) into a new image. A gzip'd source is
/// read as what it holds.
struct ConvertOptions {
  std::filesystem::path source;
  /// Instead of `source`: its bytes are put beside the target first, without a name.
  ByteSource source_stream = {};
  Target target;
  std::optional<u64> size = {};  ///< of the new disk; unset: that of the source
  bool layer = false;   ///< only what this file itself stores; a parent's bytes become zeros
  bool verify = false;  ///< read it all back, and compare digests, before the target gets its name
  /// Compress the new image, which must be one that can be streamed (below): 0 to 9.
  std::optional<int> gzip_level = {};
  Clone clone = Clone::automatic;
  OpenOptions open = {};
};
Result<CreatedDisk> convert(const ConvertOptions& options, Progress& progress);

/// What a new image is as a stream of bytes.
struct Streamed {
  u64 stream_bytes = 0;   ///< exactly; without compression
  u64 written_bytes = 0;  ///< given to the sink: differs where it was compressed
  CreatedDisk disk = {};
};
/// The same as convert, without a temporary copy and without a name: the bytes of the new image in
/// order. Possible where the content lies in one piece: raw, fixed VHD, fixed VHDX; else
/// unsupported. `target.path` names the stream in messages; `source_stream`, `verify` and `clone`
/// are not for streams.
Result<Streamed> convert_to_stream(const ConvertOptions& options, const ByteSink& sink,
                                   Progress& progress);
/// What convert_to_stream would give: its exact size, before a byte is copied.
Result<Streamed> measure_stream(const ConvertOptions& options, Progress& progress);

/// Grows a disk. Crash: old or new size, data intact, always openable.
struct ExpandOptions {
  std::filesystem::path path;
  u64 size = 0;          ///< the new size, bytes; must not be smaller than the present one
  bool fix_gpt = false;  ///< move the backup of a GUID partition table to the new end
  OpenOptions open = {};
};
Result<Resized> expand(const ExpandOptions& options, Progress& progress);

/// Cuts a disk. The backup of a GUID partition table moves to the new end.
/// Errors: shrink_would_cut_partition (names it), cannot_shrink (tells where data are), each unless
/// data may be lost; smallest_size_unknown; has_children; parent_size_mismatch (VHD).
/// Crash: old or new size, what is before the new end intact, always openable.
struct ShrinkOptions {
  std::filesystem::path path;
  /// The new size, bytes; must not be larger than the present one. Unset: the smallest that keeps
  /// all partitions and their table.
  std::optional<u64> size = {};
  bool allow_data_loss = false;  ///< partitions and data behind the new end may go
  OpenOptions open = {};
};
Result<Resized> shrink(const ShrinkOptions& options, Progress& progress);

/// Expands or shrinks, as the size asks for.
struct ResizeOptions {
  std::filesystem::path path;
  u64 size = 0;                  ///< the new size, bytes
  bool fix_gpt = false;          ///< as for expand
  bool allow_data_loss = false;  ///< as for shrink
  OpenOptions open = {};
};
Result<Resized> resize(const ResizeOptions& options, Progress& progress);

/// Makes the file of an image smaller: blocks that hold zeros are given up, the last blocks move
/// into holes, the file is cut. The content, its ids and therefore all children stay valid.
/// Crash, cancel: a valid image, compacted in part; a rerun goes on.
struct CompactOptions {
  std::filesystem::path path;
  bool estimate = false;  ///< changes nothing; the result says what would be
  /// Through a new file that replaces the old one when it is complete. Crash, cancel: the old file.
  bool copy = false;
  /// Gives runs of zeros inside what stays stored back to the host's file system, in place; that
  /// makes sparse files of fixed and raw disks, too.
  bool punch = false;
  OpenOptions open = {};
};
Result<Compacted> compact(const CompactOptions& options, Progress& progress);

/// Merges a child into one of its ancestors. The child's view stays the same at every instant; a
/// rerun after an interruption finishes. With delete_children the child's own children (beside it,
/// or in a parent root) are linked to the ancestor before the child is removed.
struct MergeOptions {
  std::filesystem::path child;
  /// Leave the chain as it is and put what would stand in the ancestor into a new image; it is a
  /// child of the ancestor's parent, if that has one. Unset depth and base then mean `all`.
  std::optional<Target> output = {};
  /// How many layers to merge down; ignored when `base` is set.
  std::optional<u32> depth = {};                   ///< unset: 1
  std::optional<std::filesystem::path> base = {};  ///< the ancestor to merge into
  bool all = false;                                ///< into the last ancestor
  bool delete_children = false;                    ///< remove the merged files at the end
  bool force_siblings = false;  ///< merge although another image names the same parent
  OpenOptions open = {};
};
Result<Merged> merge(const MergeOptions& options, Progress& progress);

struct CompareOptions {
  std::filesystem::path a;
  std::filesystem::path b;
  bool all_ranges = false;
  bool strict_size = false;  ///< different sizes are a difference even if the rest is zero
  OpenOptions open = {};
};
Result<Comparison> compare(const CompareOptions& options, Progress& progress);

enum class DigestAlgorithm { xxh3_128, sha256 };
struct HashOptions {
  std::filesystem::path path;
  DigestAlgorithm algorithm = DigestAlgorithm::xxh3_128;
  OpenOptions open = {};
};
Result<Digest> hash(const HashOptions& options, Progress& progress);

struct CheckOptions {
  std::filesystem::path path;
  bool chain = false;
  OpenOptions open = {};
};
/// One report for each layer, leaf first.
struct LayerReport {
  std::filesystem::path path;
  CheckReport report;
};
Result<std::vector<LayerReport>> check(const CheckOptions& options, Progress& progress);

/// Images in the directory of `path`, and in `options.parent_roots`, that name
/// it as their parent: writing to it, growing or shrinking it makes them invalid (FORMATS 1.15,
/// 2.9). Only headers are read, without locks; files that are no images, or cannot be read, are
/// passed over.
Result<std::vector<std::filesystem::path>> children_of(const std::filesystem::path& path,
                                                       const OpenOptions& options);

/// Puts right what can be proved from what is still sound (docs/check.md). The repair is first done
/// to a view of the file: unless everything that can be read now reads the same there, the file
/// stays untouched. Only the image itself is repaired, never its parents.
/// Crash: at every point what could be read before can be read, and a rerun finishes.
struct RepairOptions {
  std::filesystem::path path;
  bool apply = false;  ///< false: a dry run, which writes nothing
  /// A new file that keeps what is overwritten, durable before the first change.
  std::optional<std::filesystem::path> undo = {};
  OpenOptions open = {};
};
Result<Repaired> repair(const RepairOptions& options, Progress& progress);

/// Takes a repair back, finished or interrupted. Refuses an undo file that is damaged (corrupt) and
/// an image that changed since (wrong_state). Crash: do it again.
struct UndoOptions {
  std::filesystem::path image;
  std::filesystem::path undo;
  bool apply = false;  ///< false: a dry run, which writes nothing
  OpenOptions open = {};
};
Result<Undone> undo_repair(const UndoOptions& options, Progress& progress);

/// Copies what can be read of a damaged image, and of the chain below it, into a new one, and says
/// which ranges are lost. The image itself is not changed. Crash: as convert.
/// Errors: those of opening when nothing can be told from the file, not even with the hints.
struct SalvageOptions {
  std::filesystem::path source;
  Target target;
  std::optional<u64> size = {};  ///< bytes of the disk, when the file does not say it any more
  std::optional<u32> block_size = {};  ///< the same
  OpenOptions open = {};
};
Result<Salvaged> salvage(const SalvageOptions& options, Progress& progress);

/// Hands every on-disk structure of one image to the sink.
Status dump(const std::filesystem::path& path, const OpenOptions& options,
            const StructureSink& sink);

/// Names of the formats that can be created, in the order of the table.
[[nodiscard]] std::vector<std::string> format_names();
/// The format that an extension stands for (".vhdx" -> "vhdx"); empty when none.
[[nodiscard]] std::optional<std::string> format_for_extension(const std::filesystem::path& path);

}  // namespace vdisk
#pragma GCC visibility pop
