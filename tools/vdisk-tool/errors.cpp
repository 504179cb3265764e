/// Errors for people: every message on one line, hints where there is something to do.
#include "errors.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>

#include <fmt/format.h>

#include "output.h"
#include "signals.h"
#include "terminal.h"

namespace vdisk::tool {
namespace {

constexpr int signal_exit_base = 128;
constexpr int broken_pipe_signal = 13;

struct Hint {
  Errc code;
  std::string_view text;
};
constexpr Hint hints[] = {
    {Errc::not_image, "if it is a raw disk, say so with --format raw"},
    {Errc::ambiguous_format, "decide with --format raw, --format vhd or --format vhdx"},
    {Errc::format_mismatch, "leave --format out to have the format found by content"},
    {Errc::file_exists, "--force replaces it"},
    {Errc::same_file, "give the result another name"},
    {Errc::busy, "another program uses the image; try again when it has closed it"},
    {Errc::needs_replay,
     "--read-log=memory reads through the log, --read-log=replay writes it to the file"},
    {Errc::parent_access_denied,
     "--parent-root DIR allows a directory, --parent FILE names the parent itself"},
    {Errc::parent_not_found,
     "--parent FILE names the parent, --parent-root DIR and --map-parent FROM=TO widen the search"},
    {Errc::parent_mismatch,
     "the parent was changed or is another disk; its former content is needed for this child"},
    {Errc::poisoned, "the storage failed; check the disk, then look at the image with check"},
    {Errc::shrink_would_cut_partition,
     "make the partition smaller in the guest first; shrink PATH --to-smallest-safe finds the "
     "size"},
    {Errc::smallest_size_unknown, "give the new size with --size"},
    {Errc::no_space, "make room on the disk and run the command again"},
};

/// Verbs whose --format names the format of the result.
bool makes_images(std::string_view verb) {
  constexpr std::string_view makers[] = {"create", "convert", "mirror", "snapshot", "salvage"};
  return std::ranges::find(makers, verb) != std::end(makers);
}

/// Codes that say too little: what the message speaks of decides.
struct Subject {
  Errc code;
  std::string_view speaks_of;
  std::string_view text;
};
constexpr Subject subjects[] = {
    {Errc::parent_access_denied, "a raw disk",
     "if it is PATH's own parent, --parent FILE names it, and nothing can check that; otherwise "
     "rebase the child to a VHD that was made of the raw disk"},
    {Errc::ambiguous_format, "a raw disk to merge into",
     "name the right file with --parent; merge CHILD --output NEW leaves this one as it is"},
    {Errc::parent_size_mismatch, "the raw disk has",
     "name the right file with --parent; merge CHILD --output NEW leaves this one as it is"},
    {Errc::unsupported, "batmap",
     "convert PATH NEW copies the disk into an image without one; --format vhd keeps it a VHD"},
    {Errc::wrong_state, "saved state",
     "start and shut down its virtual machine, or discard the saved state there, and try again"},
};

/// Failures of merge that come when the merge itself is done.
constexpr std::string_view removing = ": remove: ";

std::string with_source_format(std::string_view text) {
  constexpr std::string_view option = "--format";
  std::string result(text);
  for (auto at = result.find(option); at != std::string::npos; at = result.find(option, at + 2))
    result.replace(at, option.size(), "--source-format");
  return result;
}

std::string hint_about_children(std::string_view verb) {
  if (verb == "merge")
    return "merge the other children first, or give them up with --force-siblings";
  if (verb == "metadata") return "--force-children does it all the same, and gives the children up";
  return "snapshot PATH CHILD --size SIZE makes a larger child instead";
}

bool is_broken_pipe(const Error& error) {
  return error.os_error == EPIPE;
}

void write_line(Colour colour, std::string_view label, std::string_view text) {
  const auto line = fmt::format("{} {}\n", coloured(colour, label, Stream::error), text);
  (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

std::unexpected<Error> usage_error(std::string message) {
  return fail(Errc::invalid_argument, std::move(message));
}

int exit_code(const Error& error) {
  if (error.code == Errc::canceled && received_signal() != 0)
    return signal_exit_base + received_signal();
  if (is_broken_pipe(error)) return signal_exit_base + broken_pipe_signal;
  if (error.code == Errc::invalid_argument) return static_cast<int>(Exit::usage);
  return static_cast<int>(Exit::failed);
}

std::optional<std::string> hint_for(const Error& error, std::string_view verb) {
  if (error.code == Errc::canceled && verb == "merge")
    return "the child still reads as before; run the same command again to finish";
  if (error.code == Errc::canceled && verb == "compact")
    return "the disk is as before; run the same command again to go on";
  if (error.code == Errc::disk_id_mismatch && verb == "mirror")
    return "the source is another disk than before; nothing was kept, begin anew";
  if (error.code == Errc::cannot_shrink && (verb == "shrink" || verb == "resize"))
    return "--allow-data-loss cuts it off all the same";
  if (error.code == Errc::parent_mismatch && verb == "rebase")
    return "--force-identity takes another disk that reads the same; --old-parent FILE names the "
           "present parent for the comparison";
  if (error.code == Errc::has_children) return hint_about_children(verb);
  if (verb == "merge" && error.message.find(removing) != std::string::npos)
    return "the merge itself is done; what could not be removed is not needed any more";
  for (const auto& subject : subjects) {
    if (subject.code != error.code) continue;
    if (error.message.find(subject.speaks_of) != std::string::npos)
      return std::string(subject.text);
  }
  if (error.code == Errc::not_regular)
    return "only regular files are accepted; block devices with --allow-device";
  if (error.code == Errc::invalid_argument) {
    return verb.empty() ? "vdisk-tool --help lists the verbs"
                        : fmt::format("vdisk-tool {} --help shows the options", verb);
  }
  for (const auto& hint : hints) {
    if (hint.code != error.code) continue;
    return makes_images(verb) ? with_source_format(hint.text) : std::string(hint.text);
  }
  return std::nullopt;
}

void report(const Error& error, std::string_view verb) {
  if (is_broken_pipe(error)) return;  // whoever reads had enough, and knows it
  const auto message = error.message.empty() ? describe(error.code) : error.message;
  write_line(Colour::red, "vdisk-tool:", escaped(message));
  if (const auto hint = hint_for(error, verb)) write_line(Colour::cyan, "hint:", *hint);
}

void hint(std::string_view text) {
  write_line(Colour::cyan, "hint:", escaped(text));
}

void remark(std::string_view text) {
  write_line(Colour::yellow, "vdisk-tool:", escaped(text));
}

}  // namespace vdisk::tool
