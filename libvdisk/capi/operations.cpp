/// The operations as jobs: options in, a tagged structure out.
#include "vdisk/operations.h"

#include <algorithm>
#include <cstring>

#include "capi/job.h"
#include "capi/options.h"
#include "capi/status.h"

namespace vdisk::capi {

namespace {

vdisk_output of_type(vdisk_output_type type) {
  vdisk_output output{};
  output.struct_size = sizeof output;
  output.type = type;
  return output;
}

template <std::size_t Size>
void copy_text(const std::string& text, char (&target)[Size]) {
  const std::size_t length = std::min(text.size(), Size - 1);
  std::memcpy(target, text.data(), length);
  target[length] = '\0';
}

vdisk_output output_of(const CreatedDisk& created) {
  auto output = of_type(VDISK_OUTPUT_CREATED);
  std::copy(created.id.bytes.begin(), created.id.bytes.end(), output.value.created.id);
  output.value.created.virtual_size = created.virtual_size;
  return output;
}

vdisk_output output_of(const Compacted& compacted) {
  auto output = of_type(VDISK_OUTPUT_COMPACTED);
  auto& value = output.value.compacted;
  value.reclaimed_bytes = compacted.reclaimed_bytes;
  value.moved_blocks = compacted.moved_blocks;
  value.old_file_size = compacted.old_file_size;
  value.new_file_size = compacted.new_file_size;
  copy_text(std::string(name(compacted.no_gain)), value.no_gain);
  return output;
}

vdisk_output output_of(const Merged& merged) {
  auto output = of_type(VDISK_OUTPUT_MERGED);
  output.value.merged.merged_bytes = merged.merged_bytes;
  return output;
}

vdisk_output output_of(const Resized& resized) {
  auto output = of_type(VDISK_OUTPUT_RESIZED);
  auto& value = output.value.resized;
  value.old_size = resized.old_size;
  value.new_size = resized.new_size;
  value.reclaimed_bytes = resized.reclaimed_bytes;
  copy_text(std::string(name(resized.gpt)), value.gpt);
  return output;
}

vdisk_output output_of(const Comparison& comparison) {
  auto output = of_type(VDISK_OUTPUT_COMPARISON);
  output.value.comparison = {comparison.size_a, comparison.size_b,
                             comparison.first_difference.value_or(0),
                             comparison.identical ? 1U : 0U};
  return output;
}

vdisk_output output_of(const Digest& digest) {
  auto output = of_type(VDISK_OUTPUT_DIGEST);
  output.value.digest.virtual_size = digest.virtual_size;
  output.value.digest.bytes_hashed = digest.bytes_hashed;
  copy_text(digest.algorithm, output.value.digest.algorithm);
  copy_text(digest.hex, output.value.digest.hex);
  return output;
}

u64 count_of(const CheckReport& report) {
  return report.findings.size() + report.suppressed_findings;
}

vdisk_output output_of(const std::vector<LayerReport>& layers) {
  auto output = of_type(VDISK_OUTPUT_CHECK);
  auto& sum = output.value.check;
  sum.clean = 1;
  for (const auto& [path, report] : layers) {
    sum.findings += count_of(report);
    sum.blocks_total += report.blocks_total;
    sum.blocks_allocated += report.blocks_allocated;
    sum.bytes_reclaimable += report.bytes_reclaimable;
    if (!report.clean()) sum.clean = 0;
  }
  return output;
}

vdisk_output output_of(const Repaired& repaired) {
  auto output = of_type(VDISK_OUTPUT_REPAIR);
  auto& value = output.value.repair;
  value.findings_before = count_of(repaired.before);
  value.findings_after = count_of(repaired.after);
  value.actions = repaired.actions.size() + repaired.suppressed_actions;
  value.changed_bytes = repaired.changed_bytes;
  value.applied = repaired.applied ? 1 : 0;
  value.opens_before = repaired.opens_before ? 1 : 0;
  value.opens_after = repaired.opens_after ? 1 : 0;
  return output;
}

vdisk_output output_of(const Salvaged& salvaged) {
  auto output = of_type(VDISK_OUTPUT_SALVAGE);
  auto& value = output.value.salvage;
  std::ranges::copy(salvaged.created.id.bytes, value.id);
  value.virtual_size = salvaged.created.virtual_size;
  value.lost_bytes = salvaged.lost_bytes;
  value.lost_ranges = salvaged.lost.size() + salvaged.suppressed_ranges;
  value.assumptions = salvaged.assumptions.size();
  return output;
}

/// Starts `operation(options, progress)`, a function of vdisk/operations.h.
template <class Options, class Output>
Status run(Result<Output> (*operation)(const Options&, Progress&), Options options,
           vdisk_job** job) {
  return start(
      [operation, options = std::move(options)](Progress& progress) -> Result<vdisk_output> {
        auto output = operation(options, progress);
        if (!output) return std::unexpected(std::move(output).error());
        return output_of(*output);
      },
      job);
}

/// A path or the options for opening, or the reason why there are none; the first wins.
class Inputs {
 public:
  std::filesystem::path path(const char* name, const char* argument) {
    return keep(path_of(name, argument));
  }
  void keep(Status status) {
    if (status_ && !status) status_ = std::move(status);
  }
  OpenOptions open(const vdisk_open_options* given) { return keep(open_options(given)); }
  template <class Value>
  Value keep(Result<Value> result) {
    if (result) return *std::move(result);
    if (status_) status_ = std::unexpected(std::move(result).error());
    return {};
  }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  Status status_;
};

Status check_flags(uint32_t flags, uint32_t known) {
  if ((flags & ~known) == 0) return {};
  return fail(Errc::invalid_argument, "flags: " + std::to_string(flags) + " is not known");
}

std::optional<std::filesystem::path> optional_path(const char* name) {
  if (name == nullptr) return std::nullopt;
  return std::filesystem::path(name);
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_create(const vdisk_target* target, uint64_t size, const char* source,
                          const char* parent, const vdisk_open_options* open, vdisk_job** job,
                          vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::CreateOptions options{.target = inputs.keep(capi::target(target))};
    if (size != 0) options.size = size;
    options.source = capi::optional_path(source);
    options.parent = capi::optional_path(parent);
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::create, std::move(options), job);
  });
}

vdisk_status vdisk_convert(const char* source, const vdisk_target* target,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ConvertOptions options;
    options.source = inputs.path(source, "source");
    options.target = inputs.keep(capi::target(target));
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::convert, std::move(options), job);
  });
}

vdisk_status vdisk_expand(const char* path, uint64_t size, const vdisk_open_options* open,
                          vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ExpandOptions options;
    options.path = inputs.path(path, "path");
    options.size = size;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::expand, std::move(options), job);
  });
}

vdisk_status vdisk_shrink(const char* path, uint64_t size, uint32_t flags,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ShrinkOptions options;
    inputs.keep(capi::check_flags(flags, VDISK_RESIZE_ALLOW_DATA_LOSS));
    options.path = inputs.path(path, "path");
    if (size != 0) options.size = size;
    options.allow_data_loss = flags != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::shrink, std::move(options), job);
  });
}

vdisk_status vdisk_resize(const char* path, uint64_t size, uint32_t flags,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ResizeOptions options;
    inputs.keep(capi::check_flags(flags, VDISK_RESIZE_FIX_GPT | VDISK_RESIZE_ALLOW_DATA_LOSS));
    options.path = inputs.path(path, "path");
    options.size = size;
    options.fix_gpt = (flags & VDISK_RESIZE_FIX_GPT) != 0;
    options.allow_data_loss = (flags & VDISK_RESIZE_ALLOW_DATA_LOSS) != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::resize, std::move(options), job);
  });
}

vdisk_status vdisk_merge(const char* child, const vdisk_merge_options* given,
                         const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::MergeOptions options = inputs.keep(capi::merge_options(given));
    options.child = inputs.path(child, "child");
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::merge, std::move(options), job);
  });
}

vdisk_status vdisk_compact(const char* path, uint32_t mode, uint32_t punch,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if (mode > VDISK_COMPACT_ESTIMATE) {
      return vdisk::fail(vdisk::Errc::invalid_argument,
                         "mode: " + std::to_string(mode) + " is not known");
    }
    capi::Inputs inputs;
    vdisk::CompactOptions options;
    options.path = inputs.path(path, "path");
    options.estimate = mode == VDISK_COMPACT_ESTIMATE;
    options.copy = mode == VDISK_COMPACT_COPY;
    options.punch = punch != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::compact, std::move(options), job);
  });
}

vdisk_status vdisk_compare(const char* a, const char* b, const vdisk_open_options* open,
                           vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::CompareOptions options;
    options.a = inputs.path(a, "a");
    options.b = inputs.path(b, "b");
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::compare, std::move(options), job);
  });
}

vdisk_status vdisk_hash(const char* path, uint32_t sha256, const vdisk_open_options* open,
                        vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::HashOptions options;
    options.path = inputs.path(path, "path");
    if (sha256 != 0) options.algorithm = vdisk::DigestAlgorithm::sha256;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::hash, std::move(options), job);
  });
}

vdisk_status vdisk_check(const char* path, uint32_t chain, const vdisk_open_options* open,
                         vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::CheckOptions options;
    options.path = inputs.path(path, "path");
    options.chain = chain != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::check, std::move(options), job);
  });
}

vdisk_status vdisk_repair(const char* path, uint32_t apply, const char* undo,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::RepairOptions options;
    options.path = inputs.path(path, "path");
    options.apply = apply != 0;
    options.undo = capi::optional_path(undo);
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::repair, std::move(options), job);
  });
}

vdisk_status vdisk_salvage(const char* source, const vdisk_target* target, uint64_t disk_size,
                           uint32_t block_size, const vdisk_open_options* open, vdisk_job** job,
                           vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::SalvageOptions options;
    options.source = inputs.path(source, "source");
    options.target = inputs.keep(capi::target(target));
    if (disk_size != 0) options.size = disk_size;
    if (block_size != 0) options.block_size = block_size;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::salvage, std::move(options), job);
  });
}
