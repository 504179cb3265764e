/// Every number is checked: what C passes is not yet an enumerator.
#include "capi/options.h"

#include <algorithm>
#include <array>

#include "capi/sized.h"

namespace vdisk::capi {

namespace {

std::unexpected<Error> unknown(const char* field, u32 value) {
  return fail(Errc::invalid_argument,
              std::string(field) + ": " + std::to_string(value) + " is not known");
}

/// The enumerator at the position of a number.
template <class Enum, std::size_t Count>
Result<Enum> choose(const char* field, u32 value, const std::array<Enum, Count>& choices) {
  if (value < Count) return choices[value];
  return unknown(field, value);
}

template <class Value>
std::optional<Value> unless_zero(Value value) {
  return value == 0 ? std::nullopt : std::optional(value);
}

std::optional<std::string> text_of(const char* text) {
  return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

Status take_choices(const vdisk_open_options& given, OpenOptions& options) {
  auto access = choose("access", given.access, std::array{Access::read_only, Access::read_write});
  if (!access) return std::unexpected(std::move(access).error());
  auto read_log = choose("read_log", given.read_log,
                         std::array{ReadLog::automatic, ReadLog::replay, ReadLog::memory,
                                    ReadLog::require_clean, ReadLog::ignore});
  if (!read_log) return std::unexpected(std::move(read_log).error());
  auto parents =
      choose("parents", given.parents, std::array{ParentPolicy::none, ParentPolicy::beside});
  if (!parents) return std::unexpected(std::move(parents).error());
  options.access = *access;
  options.read_log = *read_log;
  options.parents = *parents;
  return {};
}

}  // namespace

Result<OpenOptions> open_options(const vdisk_open_options* given, Unlisted unlisted) {
  auto known = take(given);
  if (!known) return std::unexpected(std::move(known).error());
  OpenOptions options;
  if (auto taken = take_choices(*known, options); !taken) {
    return std::unexpected(std::move(taken).error());
  }
  options.lock = known->no_lock == 0;
  options.vhd_size = known->vhd_size_by_chs == 0 ? VhdSize::current : VhdSize::chs;
  options.allow_device = known->allow_device != 0;
  options.format = text_of(known->format);
  if (known->parent != nullptr) options.parent = known->parent;
  for (const char* const* root = known->parent_roots; root != nullptr && *root != nullptr; ++root) {
    options.parent_roots.emplace_back(*root);
  }
  for (const auto* pair = known->parent_map; pair != nullptr && pair->from != nullptr; ++pair) {
    if (pair->to == nullptr) return fail(Errc::invalid_argument, "parent_map: missing \"to\"");
    options.parent_map.emplace_back(pair->from, pair->to);
  }
  if (known->metadata_cache_bytes != 0) options.metadata_cache_bytes = known->metadata_cache_bytes;
  if (known->store != nullptr) {
    auto store = store_file_system(known->store, unlisted);
    if (!store) return std::unexpected(std::move(store).error());
    options.file_system = *std::move(store);
  }
  return options;
}

Result<Target> target(const vdisk_target* given) {
  auto known = take(given);
  if (!known) return std::unexpected(std::move(known).error());
  auto path = path_of(known->path, "target path");
  if (!path) return std::unexpected(std::move(path).error());
  if (known->reserved != 0) return unknown("reserved", known->reserved);
  Target target{.path = *std::move(path)};
  target.format = text_of(known->format);
  if (known->type != 0) {
    auto type = choose("type", known->type - 1,
                       std::array{ImageType::fixed, ImageType::dynamic, ImageType::differencing});
    if (!type) return unknown("type", known->type);
    target.type = *type;
  }
  target.block_size = unless_zero(known->block_size);
  target.logical_sector_size = unless_zero(known->logical_sector_size);
  target.physical_sector_size = unless_zero(known->physical_sector_size);
  if (known->id != nullptr) {
    Guid id;
    std::copy_n(known->id, id.bytes.size(), id.bytes.begin());
    target.id = id;
  }
  target.replace = known->replace != 0;
  return target;
}

Result<MergeOptions> merge_options(const vdisk_merge_options* given) {
  auto known = take(given);
  if (!known) return std::unexpected(std::move(known).error());
  MergeOptions options;
  options.depth = unless_zero(known->depth);
  options.all = known->all != 0;
  if (known->base != nullptr) options.base = known->base;
  options.delete_children = known->delete_children != 0;
  options.force_siblings = known->force_siblings != 0;
  if (known->output != nullptr) {
    auto output = target(known->output);
    if (!output) return std::unexpected(std::move(output).error());
    options.output = *std::move(output);
  }
  return options;
}

Result<ConvertOptions> convert_options(const vdisk_convert_options* given) {
  auto known = take(given);
  if (!known) return std::unexpected(std::move(known).error());
  ConvertOptions options;
  options.size = unless_zero(known->size);
  options.layer = known->layer != 0;
  options.verify = known->verify != 0;
  constexpr uint32_t highest_level = 9;
  if (known->gzip > highest_level) return unknown("gzip", known->gzip);
  if (known->gzip != 0) options.gzip_level = static_cast<int>(known->gzip);
  auto clone =
      choose("clone", known->clone, std::array{Clone::automatic, Clone::always, Clone::never});
  if (!clone) return std::unexpected(std::move(clone).error());
  options.clone = *clone;
  return options;
}

Result<CompareOptions> compare_options(const vdisk_compare_options* given) {
  auto known = take(given);
  if (!known) return std::unexpected(std::move(known).error());
  CompareOptions options;
  options.strict_size = known->strict_size != 0;
  options.all_ranges = known->all_ranges != 0;
  return options;
}

uint32_t type_number(ImageType type) {
  switch (type) {
    case ImageType::fixed: return VDISK_FIXED;
    case ImageType::dynamic: return VDISK_DYNAMIC;
    case ImageType::differencing: break;
  }
  return VDISK_DIFFERENCING;
}

Result<std::filesystem::path> path_of(const char* name, const char* argument) {
  if (name == nullptr || *name == '\0') {
    return fail(Errc::invalid_argument, std::string(argument) + ": missing, expected a name");
  }
  return std::filesystem::path(name);
}

}  // namespace vdisk::capi
