/// relink: children whose parents have moved find them by identity and say where they are now.
#include <algorithm>

#include "base/exception_error.h"
#include "base/try.h"
#include "vdisk/chains.h"

namespace vdisk {

namespace {

bool is_unresolved(const TreeImage& image) {
  switch (image.parent_state) {
    case ParentState::ambiguous:
    case ParentState::different:
    case ParentState::missing:
    case ParentState::cyclic: return true;
    case ParentState::none:
    case ParentState::found:
    case ParentState::outside:
    case ParentState::raw:
    case ParentState::moved: break;
  }
  return image.fault.has_value();
}

/// Those whose parent has moved, the nearest to their base first: a link names the time at which
/// its parent was changed last.
std::vector<std::size_t> moved_children(const ImageTree& tree) {
  std::vector<std::pair<std::size_t, std::size_t>> found;  // depth, index
  for (std::size_t index = 0; index < tree.images.size(); ++index) {
    if (tree.images[index].parent_state != ParentState::moved) continue;
    std::size_t depth = 0;
    for (auto above = tree.images[index].parent; above && depth < tree.images.size(); ++depth) {
      above = tree.images[*above].parent;
    }
    found.emplace_back(depth, index);
  }
  std::ranges::sort(found);
  std::vector<std::size_t> order;
  order.reserve(found.size());
  for (const auto& [depth, index] : found) order.push_back(index);
  return order;
}

/// Links one child; the new parent's own parent may have moved as well: it is not needed for that.
Result<Rebased> link_to_moved(const TreeImage& image, const TreeImage& parent,
                              const RelinkOptions& options) {
  RebaseOptions rebase_options{
      .child = image.path, .parent = parent.path, .dry_run = options.dry_run, .open = options.open};
  rebase_options.open.parents = ParentPolicy::none;
  Progress own;  // the point of no return is that of one link
  return rebase(rebase_options, own);
}

}  // namespace

Result<Relinked> relink(const RelinkOptions& options, Progress& progress) try {
  VDISK_ASSIGN(const auto tree, image_tree({.directory = options.directory,
                                            .recursive = options.recursive,
                                            .open = options.open},
                                           progress));
  Relinked relinked{.images = tree.images.size()};
  std::ranges::copy_if(tree.images, std::back_inserter(relinked.unresolved), is_unresolved);
  for (const std::size_t index : moved_children(tree)) {
    const TreeImage& image = tree.images[index];
    VDISK_TRY(progress.advance(0));
    auto link = link_to_moved(image, tree.images[*image.parent], options);
    if (link) {
      relinked.links.push_back(*std::move(link));
    } else {
      relinked.unresolved.push_back(image);
      relinked.unresolved.back().fault = std::move(link).error();
    }
  }
  return relinked;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
