#include "engine/check_chain.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "engine/parent_path.h"
#include "engine/split_image.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

std::string_view id_of(const Error& error) {
  switch (kind(error.code)) {
    case ErrorKind::parent_not_found: return "parent_missing";
    case ErrorKind::parent_policy: return "parent_refused";
    case ErrorKind::parent_cycle: return "parent_cycle";
    case ErrorKind::parent_mismatch:
      return error.code == Errc::parent_size_mismatch ? "parent_size" : "parent_mismatch";
    default: break;
  }
  return error.code == Errc::chain_too_deep ? "chain_depth" : "parent_broken";
}

bool has_identity(const fs::path& path, std::shared_ptr<File> file, const ParentLink& link) {
  const LayerRequest request{.path = path, .file = std::move(file)};
  const auto layer = open_layer(request, {});
  return layer && accepts_any(link, {layer->image->content_id()});
}

/// The image with the parent's identity in the directory of the child, under another name.
std::optional<fs::path> find_moved_parent(const Layer& child, FileSystem& file_system) {
  const auto link = child.image->info().parent;
  const auto absolute = file_system.absolute(child.path);
  if (!link || !absolute) return std::nullopt;
  const auto names = file_system.list(absolute->parent_path());
  if (!names) return std::nullopt;
  for (const fs::path& name : *names) {
    fs::path path = absolute->parent_path() / name.filename();
    auto file = file_system.open(path, {});
    if (file && has_identity(path, *std::move(file), *link)) return path;
  }
  return std::nullopt;
}

}  // namespace

Finding broken_link(const Layer& child, const Error& error, const OpenOptions& options) {
  Finding finding{.id = std::string(id_of(error)),
                  .severity = Severity::error,
                  .offset = error.offset.value_or(0),
                  .message = error.message};
  const bool may_have_moved = finding.id == "parent_missing" || finding.id == "parent_mismatch" ||
                              finding.id == "parent_refused";
  if (!may_have_moved) return finding;
  if (const auto moved = find_moved_parent(child, *file_system_of(options))) {
    finding.message +=
        fmt::format("; {} has the identity of the parent: a rebase would name it", moved->string());
  }
  return finding;
}

std::optional<Finding> ambiguous_link(const Layer& child, const Layer& chosen,
                                      const OpenOptions& options) {
  const auto file_system = file_system_of(options);
  const auto link = child.image->info().parent;
  const auto absolute = file_system->absolute(child.path);
  if (!link || !absolute) return std::nullopt;
  OpenOptions open = options;
  open.parent_roots.push_back(absolute->parent_path());
  for (const ParentCandidate& place :
       parent_candidates(*link, absolute->parent_path(), open).places) {
    auto file = file_system->open_beneath(place.root, place.relative, {});
    if (!file) continue;
    const auto id = (*file)->identity();
    if (!id || *id == chosen.id) continue;
    const fs::path path = (place.root / place.relative).lexically_normal();
    if (!has_identity(path, *std::move(file), *link)) continue;
    return Finding{.id = "parent_ambiguous",
                   .severity = Severity::warning,
                   .message = fmt::format("two files have the identity of the parent: {} is used, "
                                          "{} would be as good",
                                          chosen.path.string(), path.string())};
  }
  return std::nullopt;
}

void add_companions(const fs::path& path, const File& file, FileSystem& file_system,
                    CheckReport& report) {
  if (auto part = describe_part(file_system, path)) {
    report.add({.id = "split-image", .severity = Severity::error, .message = *std::move(part)});
  }
  constexpr std::array extensions{".rct", ".mrt"};
  const auto changed = file.modified_time();
  for (const char* extension : extensions) {
    fs::path beside = path;
    beside += extension;
    const auto companion = file_system.open(beside, {});
    if (!companion) continue;
    const auto tracked = (*companion)->modified_time();
    const bool stale = changed && tracked && *changed > *tracked;
    report.add({.id = "companion",
                .severity = Severity::info,  // times prove nothing
                .message = fmt::format(
                    "change tracking file {}: {}", beside.string(),
                    stale ? "older than the image; backups that rely on it would miss changes"
                          : "a change of the image by anybody but its owner makes it stale")});
  }
}

}  // namespace vdisk
