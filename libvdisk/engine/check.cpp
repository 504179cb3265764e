/// check: what is wrong with an image, or with each image of a chain.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/chain.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

Result<LayerReport> check_file(const std::filesystem::path& path, const Format& format,
                               const File& file) {
  LayerReport layer{.path = path, .report = {}};
  auto checked = format.check(file, layer.report);
  if (!checked) return std::unexpected(at_path(path, std::move(checked).error()));
  return layer;
}

Result<LayerReport> check_leaf(const CheckOptions& options) {
  OpenOptions open = options.open;
  open.access = Access::read_only;
  open.read_log = ReadLog::automatic;
  VDISK_ASSIGN(const auto file, open_leaf_file(*file_system_of(open), options.path, open));
  auto format = choose_format(*file, options.path, open.format);
  if (!format) return std::unexpected(at_path(options.path, std::move(format).error()));
  return check_file(options.path, **format, *file);
}

/// A chain that cannot be opened is a finding of its own, not a failure of the check.
Finding chain_finding(const Error& error) {
  return {.id = "chain",
          .severity = Severity::error,
          .offset = error.offset.value_or(0),
          .message = error.message,
          .repair = {}};
}

}  // namespace

Result<std::vector<LayerReport>> check(const CheckOptions& options, Progress& progress) try {
  progress.phase("check");
  progress.expect(1);
  std::vector<LayerReport> reports;
  VDISK_ASSIGN(auto leaf, check_leaf(options));
  reports.push_back(std::move(leaf));
  if (options.chain) {
    OpenOptions open = options.open;
    open.access = Access::read_only;
    const auto chain = open_chain(options.path, open);
    if (!chain) {
      reports.front().report.add(chain_finding(chain.error()));
      return reports;
    }
    for (std::size_t index = 1; index < chain->layers.size(); ++index) {
      const Layer& layer = chain->layers[index];
      VDISK_ASSIGN(auto report, check_file(layer.path, *layer.format, *layer.file));
      reports.push_back(std::move(report));
    }
  }
  VDISK_TRY(progress.advance(1));
  return reports;
} catch (...) {
  return error_of_exception();
}

Status dump(const std::filesystem::path& path, const OpenOptions& options,
            const StructureSink& sink) try {
  OpenOptions open = options;
  open.access = Access::read_only;
  open.read_log = ReadLog::automatic;
  VDISK_ASSIGN(const auto file, open_leaf_file(*file_system_of(open), path, open));
  auto format = choose_format(*file, path, open.format);
  if (!format) return std::unexpected(at_path(path, std::move(format).error()));
  auto dumped = (*format)->dump(*file, sink);
  if (!dumped) return std::unexpected(at_path(path, std::move(dumped).error()));
  return {};
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
