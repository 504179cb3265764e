/// Words for images.
#include "images.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "errors.h"
#include "saved_state.h"
#include "size.h"

namespace vdisk::tool {

std::string text_of(const std::filesystem::path& path) {
  return path.native();
}

std::string kind_of(std::string_view format, ImageType type) {
  if (format == "raw") return "raw";
  return fmt::format("{} {}", format, name(type));
}

std::string iso_time(i64 seconds_since_1970) {
  const std::time_t seconds = seconds_since_1970;
  std::tm fields{};
  if (gmtime_r(&seconds, &fields) == nullptr) return "";
  constexpr int first_year = 1900;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", fields.tm_year + first_year,
                     fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min,
                     fields.tm_sec);
}

void warn_about_neighbours(const std::filesystem::path& path, const OpenOptions& options) {
  auto open = options;
  open.access = Access::read_only;
  open.parents = ParentPolicy::none;
  open.parent.reset();
  open.lock = false;  // this process may be its writer
  open.read_log = ReadLog::memory;
  const auto disk = Disk::open(path, open);
  if (!disk) return;  // opening for writing tells what is wrong
  const auto layer = disk->layer(0);
  if (!layer) return;
  warn_about_saved_state(path, *layer);
  for (const auto& warning : layer->image.warnings) {
    if (warning.id == "change-tracking" || warning.id == "replication")
      remark(fmt::format("warning: {}: {}", text_of(path), warning.message));
  }
}

void warn_about_children(const std::filesystem::path& path, const OpenOptions& options) {
  warn_about_neighbours(path, options);
  const auto children = children_of(path, options);
  if (!children || children->empty()) return;  // opening for writing tells what is wrong
  constexpr std::size_t named = 3;
  std::string names;
  for (std::size_t index = 0; index < std::min(named, children->size()); ++index) {
    names += (index == 0 ? "" : ", ") + text_of((*children)[index]);
  }
  if (children->size() > named) names += fmt::format(" and {} more", children->size() - named);
  remark(fmt::format("warning: {} is the parent of {}: writing to it makes them invalid",
                     text_of(path), names));
}

std::string rounding_remark(const CreatedDisk& created, u64 wanted) {
  if (created.virtual_size <= wanted) return {};
  return fmt::format("rounded up from {} to {} bytes", wanted, created.virtual_size);
}

std::string parent_root_remark(const std::filesystem::path& child,
                               const std::filesystem::path& parent) {
  const auto directory_of = [](const std::filesystem::path& path) {
    std::error_code code;
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, code).parent_path(),
                                             code);
  };
  const auto between = directory_of(parent).lexically_relative(directory_of(child));
  if (between.empty() || *between.begin() != "..") return {};
  const auto directory = parent.parent_path();
  return fmt::format("opening it needs --parent-root {}",
                     directory.empty() ? "." : escaped(text_of(directory)));
}

nlohmann::ordered_json created_document(const CreatedDisk& created) {
  return {{"path", text_of(created.path)},    {"format", created.format},
          {"type", name(created.type)},       {"virtual_size", created.virtual_size},
          {"block_size", created.block_size}, {"id", to_string(created.id)}};
}

void print_created(const CreatedDisk& created, const OutputOptions& options, std::string_view verb,
                   std::string_view remark) {
  if (options.json) {
    print_json(created_document(created));
    return;
  }
  print_result(options,
               fmt::format("{} {}: {}, {}{}{}", verb, escaped(text_of(created.path)),
                           kind_of(created.format, created.type), short_size(created.virtual_size),
                           remark.empty() ? "" : "; ", remark));
}

}  // namespace vdisk::tool
