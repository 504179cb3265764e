#include "engine/source.h"

#include <array>

#include <fmt/format.h>

#include "base/try.h"
#include "engine/split_image.h"
#include "formats/formats.h"
#include "io/gzip_file.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

Result<bool> looks_compressed(const File& file) {
  std::array<std::byte, 3> head{};
  VDISK_ASSIGN(const u64 size, file.size());
  if (size < head.size()) return false;
  VDISK_TRY(file.read_at(0, head));
  return GzipFile::matches(head);
}

/// Whether a file is to be unpacked. A guest can write the signature of gzip into the first sector
/// of its disk: the trailer of an image outweighs it, and for a disk named raw the caller decides.
Result<bool> is_compressed(const File& file, const SourceRequest& request) {
  VDISK_ASSIGN(const bool matches, looks_compressed(file));
  if (!matches || is_gzip_name(request.path)) return matches;
  VDISK_ASSIGN(const Format* probed, probe(file));
  if (probed != nullptr) return false;
  const auto* wanted = request.open.format ? find_format(*request.open.format) : nullptr;
  if (wanted != nullptr && wanted->matches_any_content) return false;
  const auto* named = find_format_by_extension(request.path.extension().string());
  if (named == nullptr || !named->matches_any_content) return true;
  return fail(Errc::ambiguous_format,
              fmt::format("{}: named like a {} disk, but the content looks like gzip",
                          request.path.string(), named->name));
}

/// A copy of the standard input has a name that tells nobody anything.
std::unexpected<Error> named_as_asked(Error error, const std::string& name, const fs::path& path) {
  if (error.message.starts_with(name)) error.message.replace(0, name.size(), path.string());
  return std::unexpected(std::move(error));
}

fs::path inner_name(const fs::path& path) {
  return is_gzip_name(path) ? path.parent_path() / path.stem() : path;
}

}  // namespace

bool is_gzip_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".gz" || extension == ".GZ" || extension == ".Gz" || extension == ".gZ";
}

Result<Disk> open_source(const SourceRequest& request, Progress& progress) {
  OpenOptions open = request.open;
  open.access = Access::read_only;
  VDISK_ASSIGN(auto file, open_leaf_file(*file_system_of(open), request.path, open));
  return open_source_file(std::move(file), request, progress);
}

Result<Disk> open_source_file(std::shared_ptr<File> file, const SourceRequest& request,
                              Progress& progress) {
  OpenOptions open = request.open;
  open.access = Access::read_only;
  VDISK_TRY(refuse_part(*file_system_of(open), request.path));
  VDISK_ASSIGN(const bool compressed, is_compressed(*file, request));
  if (compressed) {
    const std::string name = file->name();
    auto unpacked = GzipFile::open(std::move(file), progress);
    if (!unpacked) return named_as_asked(std::move(unpacked).error(), name, request.path);
    file = *std::move(unpacked);
    auto format = choose_format(*file, inner_name(request.path), open.format);
    if (!format) return std::unexpected(at_path(request.path, std::move(format).error()));
    open.format = std::string((*format)->name);
  }
  if (request.layer) {
    open.parents = ParentPolicy::none;
    open.parent.reset();
  }
  VDISK_ASSIGN(auto leaf, open_layer({.path = request.path,
                                      .file = std::move(file),
                                      .read_log = open.read_log,
                                      .format = open.format},
                                     open));
  VDISK_ASSIGN(auto chain, open_parents(std::move(leaf), open));
  chain.complete = chain.complete || request.layer;
  return DiskAccess::make(std::move(chain), Access::read_only, file_system_of(open));
}

}  // namespace vdisk
