#include "engine/link.h"

#include "base/try.h"
#include "engine/children.h"
#include "engine/parent_path.h"

namespace vdisk {

namespace {

Result<std::string> relative_path(const std::filesystem::path& child,
                                  const std::filesystem::path& parent,
                                  const FileSystem& file_system) {
  VDISK_ASSIGN(const auto child_path, file_system.absolute(child));
  VDISK_ASSIGN(const auto parent_path, file_system.absolute(parent));
  return windows_relative_path(child_path.parent_path(), parent_path);
}

}  // namespace

Status check_link(const std::filesystem::path& child, const std::filesystem::path& parent,
                  const FileSystem& file_system) {
  VDISK_ASSIGN(const auto path, relative_path(child, parent, file_system));
  (void)path;
  return {};
}

Result<LinkTarget> link_target(const Layer& parent) {
  VDISK_ASSIGN(const i64 modified, parent.file->modified_time());
  return LinkTarget{
      .path = parent.path, .content_id = parent.image->content_id(), .modified_time = modified};
}

Status link_child(Layer& child, const LinkTarget& target, FileSystem& file_system) {
  VDISK_ASSIGN(auto relative, relative_path(child.path, target.path, file_system));
  ParentLink link{.accepted_ids = {target.content_id},
                  .parent_modified_time = target.modified_time};
  // A second id belongs to a merge that is not finished: it stays.
  const auto present = child.image->info().parent;
  if (present && accepts_any(*present, {target.content_id})) {
    link.accepted_ids = present->accepted_ids;
  }
  link.paths.push_back({"relative_path", std::move(relative)});
  if (target.windows_path) link.paths.push_back({"absolute_win32_path", *target.windows_path});
  auto linked = child.image->link_parent(link);
  if (linked) linked = child.image->close();
  if (linked) return {};
  return std::unexpected(at_path(child.path, std::move(linked).error()));
}

Result<Layer> open_child_for_linking(const std::filesystem::path& path,
                                     const OpenOptions& options) {
  OpenOptions open = options;
  open.access = Access::read_write;
  open.read_log = ReadLog::automatic;
  open.format.reset();
  return open_alone(path, open);
}

}  // namespace vdisk
