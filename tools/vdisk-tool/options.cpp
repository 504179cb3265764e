/// Shared options; what they mean is in docs/vdisk-tool.md.
#include "options.h"

#include <algorithm>

#include <fmt/format.h>

#include "size.h"
#include "try.h"

namespace vdisk::tool {
namespace {

/// Less than this would make every access of a large image read its tables again.
constexpr u64 least_cache = 256 * kib;

Arguments::Accept accept_format(std::optional<std::string>& value) {
  return [&value](const std::string& word) -> Status {
    const auto names = format_names();
    if (std::ranges::find(names, word) == names.end()) {
      return fail(Errc::invalid_argument,
                  fmt::format("\"{}\" is not known, expected {}", word, fmt::join(names, ", ")));
    }
    value = word;
    return {};
  };
}

Arguments::Accept accept_mapping(OpenOptions& options) {
  return [&options](const std::string& word) -> Status {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
      return fail(Errc::invalid_argument, fmt::format("\"{}\", expected FROM=TO", word));
    options.parent_map.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    return {};
  };
}

/// Roots are compared with resolved paths: a relative one, or one through a link, would never
/// match.
Arguments::Accept accept_root(OpenOptions& options) {
  return [&options](const std::string& word) -> Status {
    if (word.empty()) return fail(Errc::invalid_argument, "the name is empty");
    std::error_code code;
    auto resolved = std::filesystem::canonical(word, code);
    options.parent_roots.push_back(code ? std::filesystem::path(word) : std::move(resolved));
    return {};
  };
}

void declare_parents(Arguments& arguments, OpenOptions& options, const OpenChoices& choices) {
  options.parents = ParentPolicy::beside;
  arguments.group("Parents");
  arguments.repeatable("--parent-root", "DIR", accept_root(options),
                       "allow parents below DIR too; without it only below the child's directory");
  arguments.repeatable("--map-parent", "FROM=TO", accept_mapping(options),
                       "look below TO for parents whose path, as info shows it, begins with the "
                       "directory FROM, such as 'D:\\VM=/srv/vm'");
  if (choices.explicit_parent)
    arguments.path("--parent", options.parent, "the parent itself; its identity is checked");
}

}  // namespace

void declare_output(Arguments& arguments, OutputOptions& options, Takes takes) {
  arguments.group("Output");
  arguments.flag("--json", options.json, "print one JSON document");
  arguments.flag("-q,--quiet", options.quiet, "print no result line and no progress");
  if (takes == Takes::result) return;
  arguments.choice<ProgressStyle>(
      "--progress", options.progress,
      {{"bar", ProgressStyle::bar}, {"json", ProgressStyle::json}, {"none", ProgressStyle::none}},
      "progress on the standard error: a bar, one JSON object a line, "
      "or none (default: a bar on a terminal)");
}

void declare_open(Arguments& arguments, OpenOptions& options, const OpenChoices& choices) {
  if (choices.parents) declare_parents(arguments, options, choices);
  arguments.group("Opening");
  if (choices.format) {
    arguments.option(choices.format_option, "FORMAT", accept_format(options.format),
                     fmt::format("format of {} ({}); default: found by content", choices.format_of,
                                 fmt::join(format_names(), ", ")));
  }
  arguments.choice<ReadLog>("--read-log", options.read_log,
                            {{"replay", ReadLog::replay},
                             {"memory", ReadLog::memory},
                             {"require-clean", ReadLog::require_clean},
                             {"ignore", ReadLog::ignore}},
                            "a dirty VHDX log: write it to the file, read through it in memory, "
                            "refuse, or ignore it (unsafe: old or broken content); default: memory "
                            "when reading, replay when writing");
  arguments.choice<VhdSize>("--vhd-size", options.vhd_size,
                            {{"current", VhdSize::current}, {"chs", VhdSize::chs}},
                            "which field gives the size of a VHD (Virtual PC: chs)");
  arguments.option(
      "--memory-limit", "SIZE",
      [&options](const std::string& word) -> Status {
        TOOL_ASSIGN(const u64 bytes, parse_size(word));
        options.metadata_cache_bytes = std::max(bytes, least_cache);
        return {};
      },
      "memory for the block tables of each image (default 8M)");
  arguments.flag("--allow-device", options.allow_device, "accept block devices too");
  arguments.action(
      "--no-lock", [&options] { options.lock = false; },
      "unsafe: do not lock the files; two writers destroy an image");
  if (!choices.only_reads) return;
  arguments.action(
      "--shared-read", [&options] { options.lock = false; },
      "read although somebody may write: what is read may be half of a change");
}

void declare_target_format(Arguments& arguments, Target& target, std::string_view option) {
  arguments.option(option, "FORMAT", accept_format(target.format),
                   fmt::format("format of the new image ({}); default: by the extension",
                               fmt::join(format_names(), ", ")));
}

void declare_block_size(Arguments& arguments, Target& target) {
  arguments.size("--block-size", target.block_size,
                 "size of the blocks in which space is allocated");
}

void declare_id(Arguments& arguments, Target& target) {
  arguments.option(
      "--id", "UUID",
      [&target](const std::string& word) -> Status {
        const auto id = parse_guid(word);
        if (!id) return fail(Errc::invalid_argument, fmt::format("\"{}\" is not a UUID", word));
        target.id = id;
        return {};
      },
      "identifier of the disk (default: a random one)");
}

void declare_force(Arguments& arguments, Target& target) {
  arguments.flag("-f,--force", target.replace, "replace an existing file");
}

void declare_target(Arguments& arguments, Target& target) {
  declare_target_format(arguments, target);
  arguments.choice<ImageType>("--type", target.type,
                              {{"dynamic", ImageType::dynamic},
                               {"fixed", ImageType::fixed},
                               {"differencing", ImageType::differencing}},
                              "dynamic grows as it is filled, fixed has its full size at once");
  declare_block_size(arguments, target);
  arguments.size("--logical-sector", target.logical_sector_size,
                 "sector size that the guest sees: 512 or 4096");
  arguments.size("--physical-sector", target.physical_sector_size,
                 "sector size that the guest is told to align to: 512 or 4096");
  declare_id(arguments, target);
  declare_force(arguments, target);
}

}  // namespace vdisk::tool
