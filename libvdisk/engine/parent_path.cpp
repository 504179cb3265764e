#include "engine/parent_path.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace vdisk {

namespace fs = std::filesystem;

namespace {

/// How a stated path is to be read.
enum class Form { relative, windows_absolute, file_url, file_name };

Form form_of(const ParentPath& stated) {
  if (stated.kind == "relative_path" || stated.kind == "W2ru" || stated.kind == "Wi2r") {
    return Form::relative;
  }
  if (stated.kind == "MacX") return Form::file_url;
  if (stated.kind == "parent_name") return Form::file_name;
  return Form::windows_absolute;
}

std::string with_slashes(std::string text) {
  std::replace(text.begin(), text.end(), '\\', '/');
  return text;
}

bool has_drive(std::string_view path) {
  return path.size() >= 2 && path[1] == ':';
}

/// The part of `\\?\d:\dir\file` or `d:\dir\file` behind the drive; empty for shares, devices and
/// everything else that is not a plain local path.
std::optional<std::string> behind_drive(std::string path) {
  if (path.starts_with("//?/")) path.erase(0, 4);
  if (!has_drive(path)) return std::nullopt;
  return path.substr(2);
}

/// A volume path names a local volume by its GUID: what follows is a plain path.
bool is_volume_path(std::string_view path) {
  return path.starts_with("//?/Volume{");
}

bool is_separator(char character) {
  return character == '\\' || character == '/';
}

/// Whether a path begins with whole components: `D:\VM` is no part of `D:\VMs\disk.vhd`.
bool begins_with_part(std::string_view path, std::string_view part) {
  if (part.empty() || !path.starts_with(part)) return false;
  const bool whole = path.size() == part.size() || is_separator(path[part.size()]);
  return whole || is_separator(part.back());
}

/// Whether text can be a path relative to a directory: no root, drive, share, device or URL. Behind
/// a leading `./` or `../` a colon is but a character of a name.
bool is_plain_relative(std::string_view path) {
  if (path.starts_with("./") || path.starts_with("../")) return true;
  return !path.empty() && path.front() != '/' && path.find(':') == std::string_view::npos;
}

bool stays_inside(const fs::path& relative) {
  return !relative.is_absolute() && *relative.lexically_normal().begin() != "..";
}

std::optional<std::string> path_of_file_url(std::string_view url) {
  constexpr std::string_view scheme = "file://";
  if (!url.starts_with(scheme)) return std::nullopt;
  url.remove_prefix(scheme.size());
  constexpr std::string_view local_host = "localhost";
  if (url.starts_with(local_host)) url.remove_prefix(local_host.size());
  return std::string(url);
}

class Collector {
 public:
  Collector(const fs::path& child_directory, const OpenOptions& options)
      : child_directory_(child_directory), options_(options) {
    roots_.push_back(child_directory.lexically_normal());
    for (const fs::path& root : options.parent_roots) roots_.push_back(root.lexically_normal());
  }

  void add(const ParentPath& stated) {
    if (!stated.well_formed) return refuse(stated);
    if (add_mapped(stated)) return;
    const std::string path = with_slashes(stated.path);
    switch (form_of(stated)) {
      case Form::relative: return add_relative(stated, path);
      case Form::file_url: return add_url(stated, path);
      case Form::windows_absolute: return add_windows(stated, path);
      case Form::file_name: return add_beside(stated, fs::path(path).filename());
    }
  }

  ParentCandidates take() { return std::move(candidates_); }

 private:
  void refuse(const ParentPath& stated) { candidates_.refused.push_back(stated.path); }

  /// FROM=TO of the caller: TO is trusted, what follows must stay below it.
  bool add_mapped(const ParentPath& stated) {
    for (const auto& [from, to] : options_.parent_map) {
      if (!begins_with_part(stated.path, from)) continue;
      const auto rest = with_slashes(stated.path.substr(from.size()));
      const auto relative = fs::path(rest).relative_path().lexically_normal();
      push({to, relative.empty() ? fs::path(".") : relative, stated.path});
      return true;
    }
    return false;
  }

  void add_relative(const ParentPath& stated, const std::string& path) {
    if (!is_plain_relative(path)) return refuse(stated);
    const bool found = add_below_roots(stated, child_directory_ / path);
    if (!found) return refuse(stated);
    add_in_roots(stated, fs::path(path).filename());
  }

  void add_url(const ParentPath& stated, const std::string& url) {
    const auto path = path_of_file_url(url);
    if (!path || path->empty()) return refuse(stated);
    if (path->front() != '/') return add_relative(stated, *path);
    if (!add_below_roots(stated, *path)) add_beside(stated, fs::path(*path).filename());
  }

  void add_windows(const ParentPath& stated, const std::string& path) {
    if (is_volume_path(path)) return add_beside(stated, fs::path(path).filename());
    if (is_plain_relative(path)) return add_relative(stated, path);
    if (const auto local = behind_drive(path)) {
      return add_beside(stated, fs::path(*local).filename());
    }
    // Some tools store paths of the host here: they count where a root allows them.
    const bool of_host = path.starts_with('/') && !path.starts_with("//");
    if (!of_host || !add_below_roots(stated, path)) refuse(stated);
  }

  /// The bare name, in the child's directory and in every root.
  void add_beside(const ParentPath& stated, const fs::path& name) {
    push({roots_.front(), name, stated.path});
    add_in_roots(stated, name);
  }

  void add_in_roots(const ParentPath& stated, const fs::path& name) {
    for (std::size_t index = 1; index < roots_.size(); ++index) {
      push({roots_[index], name, stated.path});
    }
  }

  /// False when the path lies below no allowed root.
  bool add_below_roots(const ParentPath& stated, const fs::path& absolute) {
    const fs::path target = absolute.lexically_normal();
    bool found = false;
    for (const fs::path& root : roots_) {
      const fs::path relative = target.lexically_relative(root);
      if (relative.empty() || *relative.begin() == ".." || relative == ".") continue;
      push({root, relative, stated.path});
      found = true;
    }
    return found;
  }

  /// The one gate: whatever the words were, nothing that names a place outside its root passes.
  void push(ParentCandidate candidate) {
    if (!candidate.relative.empty() && !stays_inside(candidate.relative)) {
      if (std::ranges::find(candidates_.refused, candidate.stated) == candidates_.refused.end()) {
        candidates_.refused.push_back(std::move(candidate.stated));
      }
      return;
    }
    const auto same = [&](const ParentCandidate& other) {
      return other.root == candidate.root && other.relative == candidate.relative;
    };
    if (candidate.relative.empty()) return;
    if (std::any_of(candidates_.places.begin(), candidates_.places.end(), same)) return;
    candidates_.places.push_back(std::move(candidate));
  }

  fs::path child_directory_;
  const OpenOptions& options_;
  std::vector<fs::path> roots_;  ///< the child's directory first
  ParentCandidates candidates_;
};

}  // namespace

ParentCandidates parent_candidates(const ParentLink& link, const fs::path& child_directory,
                                   const OpenOptions& options) {
  Collector collector(child_directory, options);
  for (const ParentPath& stated : link.paths) collector.add(stated);
  return collector.take();
}

Result<std::string> windows_relative_path(const fs::path& from_directory, const fs::path& file) {
  const fs::path relative = file.lexically_relative(from_directory);
  std::string path = relative.generic_string();
  if (path.find('\\') != std::string::npos) {
    return fail(Errc::bad_path,
                fmt::format("{}: as a parent: the path {} holds a backslash, which separates names "
                            "in an image; expected names without it",
                            file.string(), path));
  }
  std::replace(path.begin(), path.end(), '/', '\\');
  return *relative.begin() == ".." ? path : ".\\" + path;
}

}  // namespace vdisk
