/// The table of verbs; each is made by its file in commands/.
#include <algorithm>

#include "command.h"
#include "commands/commands.h"

namespace vdisk::tool {
namespace {

constexpr Verb verbs[] = {
    {"create", "Make images", "make a new image, empty or filled from another one", make_create},
    {"snapshot", "Make images", "make a child that keeps all later changes of an image apart",
     make_snapshot},
    {"convert", "Make images", "copy a disk into an image of another format or type", make_convert},
    {"mirror", "Make images", "copy a disk and keep the copy in step, until Ctrl-C", make_mirror},
    {"salvage", "Make images", "copy what can be read of a damaged image, and say what is lost",
     make_salvage},
    {"info", "Look", "what an image is: format, sizes, ids, parent", make_info},
    {"map", "Look", "where the disk's bytes are", make_map},
    {"check", "Look", "look for damage, and put it right when asked", make_check},
    {"dump", "Look", "show every structure of the file, field by field", make_dump},
    {"compare", "Look", "compare the content of two disks", make_compare},
    {"hash", "Look", "digest of the disk's content", make_hash},
    {"diff", "Look", "ranges in which two disks differ", make_diff},
    {"changes", "Look", "ranges that changed since a manifest was made", make_changes},
    {"read", "Content", "copy bytes of the disk to the standard output or a file", make_read},
    {"write", "Content", "write bytes from the standard input or a file into the disk", make_write},
    {"zero", "Content", "make a range of the disk read as zeros", make_zero},
    {"discard", "Content", "say that a range of the disk is not needed any more", make_discard},
    {"expand", "Change images", "make the disk larger", make_expand},
    {"shrink", "Change images", "make the disk smaller, if nothing is lost", make_shrink},
    {"resize", "Change images", "expand or shrink, as the size asks for", make_resize},
    {"compact", "Change images", "make the file of an image smaller; the disk stays as it is",
     make_compact},
    {"merge", "Change images", "write a child's changes into its parent", make_merge},
    {"metadata", "Change images", "items beside the disk's data, and its ids", make_metadata},
    {"tree", "Chains", "which images of a directory belong together", make_tree},
    {"rebase", "Chains", "give a child another file as its parent", make_rebase},
    {"relink", "Chains", "find parents that were moved, by their identity", make_relink},
};

}  // namespace

std::span<const Verb> all_verbs() {
  return verbs;
}

const Verb* find_verb(std::string_view name) {
  const auto* const found = std::ranges::find(verbs, name, &Verb::name);
  return found == std::end(verbs) ? nullptr : found;
}

}  // namespace vdisk::tool
