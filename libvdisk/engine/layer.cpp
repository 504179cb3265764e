/// Opening one image: format, log policy, map.
#include "engine/layer.h"

#include <fmt/format.h>

#include "base/try.h"
#include "engine/split_image.h"
#include "formats/formats.h"
#include "formats/neighbours.h"
#include "io/overlay_file.h"

namespace vdisk {

namespace {

Result<const Format*> format_by_name(const Format* probed, const std::string& wanted) {
  const Format* format = find_format(wanted);
  if (format == nullptr) {
    return fail(Errc::invalid_argument, fmt::format("unknown format '{}'", wanted));
  }
  const bool contradicts = probed != nullptr && probed != format && !format->matches_any_content;
  if (contradicts) {
    return fail(Errc::format_mismatch, fmt::format("the content is {}, expected {} as asked for",
                                                   probed->name, format->name));
  }
  return format;
}

Result<const Format*> format_by_content(const Format* probed, const File& file,
                                        const std::filesystem::path& path) {
  const Format* named = find_format_by_extension(path.extension().string());
  const bool named_raw = named != nullptr && named->matches_any_content;
  if (probed == nullptr) {
    if (named_raw) return named;
    if (named != nullptr && named->lost_signature != nullptr) {
      VDISK_ASSIGN(const bool lost, named->lost_signature(file));
      if (lost) return named;
    }
    if (const auto foreign = describe_foreign_file(path.extension().string())) {
      return fail(Errc::unsupported, std::string(*foreign));
    }
    return fail(Errc::not_image, "no signature of a known image format");
  }
  if (named_raw) {
    return fail(Errc::ambiguous_format,
                fmt::format("named like a {} disk, but the content looks like {}", named->name,
                            probed->name));
  }
  return probed;
}

ReadLog settle(ReadLog wanted, Access access) {
  if (wanted != ReadLog::automatic) return wanted;
  return access == Access::read_write ? ReadLog::replay : ReadLog::memory;
}

/// Makes the file readable whatever its log says; the file to open the image on.
Result<std::shared_ptr<File>> settle_log(const LayerRequest& request, const Format& format) {
  const ReadLog policy = settle(request.read_log, request.access);
  switch (policy) {
    case ReadLog::require_clean:
      return fail(Errc::needs_replay, "the log is dirty, expected a clean one as asked for");
    case ReadLog::ignore: return request.file;
    case ReadLog::replay: VDISK_TRY(format.recover(*request.file)); return request.file;
    case ReadLog::memory:
    case ReadLog::automatic: break;
  }
  if (request.access == Access::read_write) {
    return fail(Errc::invalid_argument,
                "a log replayed in memory only cannot be combined with writing");
  }
  VDISK_ASSIGN(auto overlay, OverlayFile::create(request.file));
  VDISK_TRY(format.recover(*overlay));
  return std::shared_ptr<File>(std::move(overlay));
}

Result<Layer> open_unprefixed(const LayerRequest& request, const OpenOptions& options) {
  Layer layer{.path = request.path, .file = request.file, .id = {}, .image = nullptr};
  VDISK_ASSIGN(layer.id, request.file->identity());
  VDISK_ASSIGN(layer.format, choose_format(*request.file, request.path, request.format));
  VDISK_ASSIGN(layer.dirty, layer.format->needs_recovery(*request.file));
  auto content = request.file;
  if (layer.dirty) {
    VDISK_ASSIGN(content, settle_log(request, *layer.format));
  }
  const bool ignore_log = layer.dirty && request.read_log == ReadLog::ignore;
  if (ignore_log && request.access == Access::read_write) {
    return fail(Errc::invalid_argument, "an ignored log cannot be combined with writing");
  }
  const ImageOptions image_options{.access = request.access,
                                   .durability = request.durability,
                                   .vhd_size = options.vhd_size,
                                   .ignore_dirty_log = ignore_log,
                                   .metadata_cache_bytes = options.metadata_cache_bytes};
  VDISK_ASSIGN(layer.image, layer.format->open(content, image_options));
  return layer;
}

}  // namespace

Result<Layer> open_layer(const LayerRequest& request, const OpenOptions& options) {
  auto layer = open_unprefixed(request, options);
  if (!layer) return std::unexpected(at_path(request.path, std::move(layer).error()));
  return layer;
}

Result<std::shared_ptr<File>> open_leaf_file(FileSystem& file_system,
                                             const std::filesystem::path& path,
                                             const OpenOptions& options) {
  const bool writes = options.access == Access::read_write || options.read_log == ReadLog::replay;
  FileOptions file_options{.access = writes ? Access::read_write : Access::read_only,
                           .allow_device = options.allow_device};
  if (options.lock) file_options.lock = writes ? Lock::exclusive : Lock::shared;
  return file_system.open(path, file_options);
}

Result<Layer> open_alone(const std::filesystem::path& path, const OpenOptions& options) {
  const auto file_system = file_system_of(options);
  VDISK_ASSIGN(auto file, open_leaf_file(*file_system, path, options));
  VDISK_TRY(refuse_part(*file_system, path));
  if (options.access == Access::read_write) VDISK_TRY(refuse_guarded(path));
  return open_layer({.path = path,
                     .file = std::move(file),
                     .access = options.access,
                     .read_log = options.read_log,
                     .format = options.format},
                    options);
}

Result<const Format*> choose_format(const File& file, const std::filesystem::path& path,
                                    const std::optional<std::string>& name) {
  auto probed = probe(file);
  if (!probed) {
    // The caller's word settles what the content leaves open.
    if (probed.error().code == Errc::ambiguous_format && name) {
      return format_by_name(nullptr, *name);
    }
    return probed;
  }
  return name ? format_by_name(*probed, *name) : format_by_content(*probed, file, path);
}

std::shared_ptr<FileSystem> file_system_of(const OpenOptions& options) {
  return options.file_system ? options.file_system : host_file_system();
}

bool is_of_host(const Error& error) noexcept {
  const ErrorKind cause = kind(error.code);
  return cause == ErrorKind::io || cause == ErrorKind::no_space || cause == ErrorKind::no_memory;
}

Error at_path(const std::filesystem::path& path, Error error) {
  const std::string prefix = path.string() + ": ";
  if (!error.message.starts_with(prefix)) error.message.insert(0, prefix);
  return error;
}

}  // namespace vdisk
