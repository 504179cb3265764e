/// Options that several verbs share.
#pragma once

#include <string_view>

#include "arguments.h"
#include "output.h"
#include "vdisk/operations.h"

namespace vdisk::tool {

enum class Takes { result, long_operation };
/// --json, --quiet and, for long operations, --progress.
void declare_output(Arguments& arguments, OutputOptions& options, Takes takes);

/// Which of the options about opening make sense for a verb.
struct OpenChoices {
  std::string_view format_option = "--format";
  std::string_view format_of = "the image";  ///< whose format the option names
  bool parents = true;                       ///< --parent-root, --map-parent
  bool explicit_parent = true;               ///< --parent
  bool only_reads = false;                   ///< --shared-read
  bool format = true;                        ///< --format
};
/// The tool's defaults and options for opening images: parents beside the child are allowed.
void declare_open(Arguments& arguments, OpenOptions& options, const OpenChoices& choices = {});

/// --format, --type, --block-size, --logical-sector, --physical-sector, --id and --force.
void declare_target(Arguments& arguments, Target& target);
void declare_force(Arguments& arguments, Target& target);
void declare_block_size(Arguments& arguments, Target& target);
void declare_id(Arguments& arguments, Target& target);
void declare_target_format(Arguments& arguments, Target& target,
                           std::string_view option = "--format");

}  // namespace vdisk::tool
