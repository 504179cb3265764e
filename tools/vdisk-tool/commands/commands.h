/// One maker for each verb; the verb is described in the file of its name.
#pragma once

#include <memory>

namespace vdisk::tool {

class Command;

std::unique_ptr<Command> make_changes();
std::unique_ptr<Command> make_check();
std::unique_ptr<Command> make_compact();
std::unique_ptr<Command> make_compare();
std::unique_ptr<Command> make_convert();
std::unique_ptr<Command> make_create();
std::unique_ptr<Command> make_diff();
std::unique_ptr<Command> make_discard();
std::unique_ptr<Command> make_dump();
std::unique_ptr<Command> make_expand();
std::unique_ptr<Command> make_hash();
std::unique_ptr<Command> make_info();
std::unique_ptr<Command> make_map();
std::unique_ptr<Command> make_merge();
std::unique_ptr<Command> make_metadata();
std::unique_ptr<Command> make_mirror();
std::unique_ptr<Command> make_read();
std::unique_ptr<Command> make_rebase();
std::unique_ptr<Command> make_relink();
std::unique_ptr<Command> make_resize();
std::unique_ptr<Command> make_salvage();
std::unique_ptr<Command> make_shrink();
std::unique_ptr<Command> make_snapshot();
std::unique_ptr<Command> make_tree();
std::unique_ptr<Command> make_write();
std::unique_ptr<Command> make_zero();

}  // namespace vdisk::tool
