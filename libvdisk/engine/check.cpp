/// check: what is wrong with an image, or with each image of a chain.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/check_chain.h"
#include "engine/observed_file.h"
#include "engine/split_image.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

OpenOptions for_reading(const OpenOptions& options) {
  OpenOptions open = options;
  open.access = Access::read_only;
  open.read_log = ReadLog::automatic;
  return open;
}

struct Checked {
  std::filesystem::path path;
  const Format* format = nullptr;
  const File* file = nullptr;
};

Result<LayerReport> check_file(const Checked& image, FileSystem& file_system, Progress& progress) {
  progress.phase("check");
  LayerReport layer{.path = image.path, .report = {}};
  const ObservedFile observed(*image.file, progress);
  auto checked = image.format->check(observed, layer.report);
  if (!checked) return std::unexpected(at_path(image.path, std::move(checked).error()));
  add_companions(image.path, *image.file, file_system, layer.report);
  return layer;
}

Result<LayerReport> check_leaf(const CheckOptions& options, Progress& progress) {
  const OpenOptions open = for_reading(options.open);
  const auto file_system = file_system_of(open);
  VDISK_ASSIGN(const auto file, open_leaf_file(*file_system, options.path, open));
  auto format = choose_format(*file, options.path, open.format);
  if (!format) {
    return std::unexpected(explain_part(*file_system, options.path, std::move(format).error()));
  }
  return check_file({options.path, *format, file.get()}, *file_system, progress);
}

/// An image that does not open cannot lead to its parents.
Finding unreadable_leaf(const Error& error) {
  return {.id = "chain",
          .severity = Severity::error,
          .offset = error.offset.value_or(0),
          .message = error.message};
}

void add_link_findings(const Chain& chain, std::size_t index, const OpenOptions& options,
                       CheckReport& report) {
  const Layer& layer = chain.layers[index];
  for (const Warning& warning : layer.warnings) {
    report.add({.id = warning.id,
                .severity = Severity::warning,
                .offset = warning.offset,
                .message = warning.message});
  }
  const bool last = index + 1 == chain.layers.size();
  if (!last) {
    if (auto finding = ambiguous_link(layer, chain.layers[index + 1], options)) {
      report.add(*std::move(finding));
    }
  } else if (chain.broken) {
    report.add(broken_link(layer, *chain.broken, options));
  }
}

Status check_parents(const CheckOptions& options, std::vector<LayerReport>& reports,
                     Progress& progress) {
  const OpenOptions open = for_reading(options.open);
  const auto file_system = file_system_of(open);
  const auto chain = open_reachable_chain(options.path, open);
  if (!chain) {
    reports.front().report.add(unreadable_leaf(chain.error()));
    return {};
  }
  for (std::size_t index = 0; index < chain->layers.size(); ++index) {
    const Layer& layer = chain->layers[index];
    if (index != 0) {
      VDISK_ASSIGN(auto report, check_file({layer.path, layer.format, layer.file.get()},
                                           *file_system, progress));
      reports.push_back(std::move(report));
    }
    add_link_findings(*chain, index, open, reports.back().report);
  }
  return {};
}

}  // namespace

Result<std::vector<LayerReport>> check(const CheckOptions& options, Progress& progress) try {
  std::vector<LayerReport> reports;
  VDISK_ASSIGN(auto leaf, check_leaf(options, progress));
  reports.push_back(std::move(leaf));
  if (options.chain) VDISK_TRY(check_parents(options, reports, progress));
  VDISK_TRY(progress.advance(progress.status().completion_value));
  return reports;
} catch (...) {
  return error_of_exception();
}

Status dump(const std::filesystem::path& path, const OpenOptions& options,
            const StructureSink& sink) try {
  const OpenOptions open = for_reading(options);
  const auto file_system = file_system_of(open);
  VDISK_ASSIGN(const auto file, open_leaf_file(*file_system, path, open));
  auto format = choose_format(*file, path, open.format);
  if (!format) return std::unexpected(explain_part(*file_system, path, std::move(format).error()));
  auto dumped = (*format)->dump(*file, sink);
  if (!dumped) return std::unexpected(at_path(path, std::move(dumped).error()));
  return {};
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
