/// Names of the small public enumerations, and the inline-worthy parts of public structs.
#include "vdisk/format.h"
#include "vdisk/image.h"

namespace vdisk {

std::string_view name(ImageType type) noexcept {
  switch (type) {
    case ImageType::fixed: return "fixed";
    case ImageType::dynamic: return "dynamic";
    case ImageType::differencing: break;
  }
  return "differencing";
}

std::string_view name(Severity severity) noexcept {
  switch (severity) {
    case Severity::info: return "info";
    case Severity::warning: return "warning";
    case Severity::error: break;
  }
  return "error";
}

void CheckReport::add(Finding finding) {
  worse_than_info_ = worse_than_info_ || finding.severity != Severity::info;
  if (findings.size() < max_findings) {
    findings.push_back(std::move(finding));
  } else {
    ++suppressed_findings;
  }
}

void RepairReport::add(RepairAction action) {
  if (actions.size() < max_actions) {
    actions.push_back(std::move(action));
  } else {
    ++suppressed_actions;
  }
}

bool CheckReport::clean() const noexcept {
  return !worse_than_info_;
}

Result<std::vector<std::filesystem::path>> FileSystem::list_directories(
    const std::filesystem::path&) const {
  return std::vector<std::filesystem::path>();
}

Status Image::change_description(const DescriptionChange& change) {
  if (change.empty()) return {};
  return fail(Errc::unsupported, "an image of this format has no id and no sector size to change");
}

Result<bool> File::clone_from(const File&, u64, u64, u64) {
  return false;
}

Result<Hole> File::next_hole(u64) const {
  auto end = size();
  if (!end) return std::unexpected(std::move(end).error());
  return Hole{*end, 0};
}

}  // namespace vdisk
