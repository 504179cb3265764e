/// Chains of images on disk: who belongs to whom, and links that must follow a move.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "vdisk/disk.h"
#include "vdisk/progress.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// What became of an image's parent.
enum class ParentState {
  none,       ///< it is no child
  found,      ///< where the image says, with the right identity
  outside,    ///< where the image says, but that is no place that may be looked at: a parent root
  moved,      ///< not where the image says; exactly one other file has its identity
  ambiguous,  ///< not where the image says; several files have its identity
  different,  ///< where the image says stands another disk, and no file has the identity
  missing,    ///< nowhere
  cyclic,     ///< the image is an ancestor of itself
  raw,        ///< a raw disk, which has no identity: it is opened only when the caller names it
};
/// Stable lower-case name.
[[nodiscard]] std::string_view name(ParentState state) noexcept;

/// An image of a tree.
struct TreeImage {
  std::filesystem::path path;
  ImageInfo info = {};
  Guid content_id = {};  ///< what a child's link must name
  u64 file_size = 0;
  bool dirty = false;               ///< the log must be replayed
  std::optional<Error> fault = {};  ///< it has the signature of an image, but cannot be opened

  ParentState parent_state = ParentState::none;
  std::optional<std::size_t> parent = {};  ///< index in ImageTree::images: found, outside, moved
  /// Files that have the parent's identity (ambiguous), or stand in its place (different).
  std::vector<std::filesystem::path> candidates = {};
  std::vector<std::filesystem::path> tried = {};  ///< places where the parent was looked for
};

/// Parents come from the whole list, children from no other place.
struct ImageTree {
  std::vector<TreeImage> images = {};  ///< by path
};

/// Looks at every file below a directory and in `open.parent_roots`. Links to directories are
/// not followed; nothing is locked or changed. Files that are no images are passed over.
struct TreeOptions {
  std::filesystem::path directory;
  bool recursive = true;
  OpenOptions open = {};
};
Result<ImageTree> image_tree(const TreeOptions& options, Progress& progress);

/// Gives a child another file as its parent.
struct RebaseOptions {
  std::filesystem::path child;
  std::filesystem::path parent;
  /// Accept a parent of another identity when the child provably reads the same on it: compared
  /// with what it reads now, or by `digest` where the present parent cannot be opened.
  bool force_identity = false;
  /// What hash said of the child's content (either algorithm).
  std::optional<std::string> digest = {};
  /// Where Windows finds the parent; unset: only the relative path is stored.
  std::optional<std::string> windows_path = {};
  bool dry_run = false;
  OpenOptions open = {};
};
struct Rebased {
  std::filesystem::path child;
  std::filesystem::path parent;
  Guid parent_id;
  bool identity_changed = false;
  std::string relative_path;  ///< as it is stored
};
/// Errors: parent_mismatch (identity, or the child would read differently), parent_cycle,
/// parent_size_mismatch, wrong_disk_kind. Crash: the old or the new link, each complete. The
/// child's content id stays, so that its own children stay valid.
Result<Rebased> rebase(const RebaseOptions& options, Progress& progress);

/// Links every child whose parent has moved to the one file that has the parent's identity.
struct RelinkOptions {
  std::filesystem::path directory;
  bool recursive = true;
  bool dry_run = false;
  OpenOptions open = {};
};
struct Relinked {
  std::vector<Rebased> links = {};  ///< done, or to be done
  /// Ambiguous, different, missing, cyclic; and those with a `fault`: they cannot be opened, or
  /// their link could not be written.
  std::vector<TreeImage> unresolved = {};
  u64 images = 0;  ///< looked at
};
/// Each link is durable before the next one is begun; a rerun does what is left.
Result<Relinked> relink(const RelinkOptions& options, Progress& progress);

}  // namespace vdisk
#pragma GCC visibility pop
