/// convert: the content of a disk, its whole chain, in an image of its own, or as a stream.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "profiles.h"
#include "raw_target.h"
#include "run_job.h"
#include "size.h"
#include "streams.h"

namespace vdisk::tool {
namespace {

constexpr int default_gzip_level = 6;
constexpr u64 highest_gzip_level = 9;

class Convert : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  void declare_compression(Arguments& arguments);
  [[nodiscard]] bool to_standard_output() const { return options_.target.path == "-"; }
  [[nodiscard]] bool is_stream() const { return to_standard_output() || options_.gzip_level; }
  [[nodiscard]] bool is_named_compressed() const;
  [[nodiscard]] std::optional<std::string> format_by_name() const;
  Status settle_compression();
  Status settle_target();
  Status settle_stream();
  Status take_standard_input();
  Result<Exit> measure();
  Result<Exit> to_stream();
  Result<Exit> to_file();
  void print_document(const CreatedDisk& created) const;

  ConvertOptions options_;
  OutputOptions output_;
  const Profile* profile_ = nullptr;
  bool gzip_ = false;
  bool measure_ = false;
  bool verbose_ = false;
};

void Convert::declare_compression(Arguments& arguments) {
  arguments.flag("--gzip", gzip_, "compress the result, as a name ending in .gz does");
  arguments.option(
      "--gzip-level", "N",
      [this](const std::string& word) -> Status {
        TOOL_ASSIGN(const u64 level, parse_number(word, highest_gzip_level));
        options_.gzip_level = static_cast<int>(level);
        return {};
      },
      "0 (stored) to 9 (smallest); default 6");
}

void Convert::declare(Arguments& arguments) {
  arguments.positional("SRC", options_.source,
                       "the image to copy: raw, VHD or VHDX, gzip'd or not; - is the standard "
                       "input");
  arguments.positional("DST", options_.target.path,
                       "the new image; .vhd, .vhdx or .raw / .img decide the format; - is the "
                       "standard output (raw, or a fixed image)");
  arguments.choice<const Profile*>("--profile", profile_, profile_choices(), profile_list());
  declare_target(arguments, options_.target);
  arguments.size("--size", options_.size, "size of the new disk, not less than the source's");
  arguments.flag("--layer", options_.layer,
                 "copy only what this file itself stores; what its parents hold becomes zeros");
  arguments.flag("--verify", options_.verify,
                 "read both sides again and compare digests before the result gets its name");
  declare_compression(arguments);
  arguments.choice<Clone>(
      "--clone", options_.clone,
      {{"auto", Clone::automatic}, {"always", Clone::always}, {"never", Clone::never}},
      "share storage with the source where the file system can (default: only where the result is "
      "raw or fixed, as shared ranges keep their zeros)");
  arguments.flag("--measure", measure_, "only say how many bytes the stream will have");
  arguments.flag("-v,--verbose", verbose_, "say how the bytes came over, on the standard error");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.format_option = "--source-format", .format_of = "the source"});
  arguments.example("convert disk.raw disk.vhdx", "zeros and holes take no space in the result");
  arguments.example("convert disk.vhdx upload.vhd --profile azure", "a fixed VHD of whole MiB");
  arguments.example("convert child.vhdx whole.vhdx", "a chain becomes one image without parent");
  arguments.example("convert disk.vhdx - --format vhd | upload", "no copy on this machine");
  arguments.example("convert disk.vhdx disk.raw.gz --verify", "compressed, and read back");
}

bool Convert::is_named_compressed() const {
  const auto extension = options_.target.path.extension();
  return extension == ".gz" || extension == ".GZ" || extension == ".Gz" || extension == ".gZ";
}

std::optional<std::string> Convert::format_by_name() const {
  const auto& path = options_.target.path;
  return format_for_extension(is_named_compressed() ? path.parent_path() / path.stem() : path);
}

Status Convert::settle_compression() {
  const bool compresses = gzip_ || is_named_compressed();
  if (options_.gzip_level && !compresses)
    return usage_error("--gzip-level goes with --gzip, or with a name that ends in .gz");
  if (!compresses) return {};
  if (measure_)
    return usage_error("--measure: what compression makes of a stream shows when it is made");
  options_.gzip_level = options_.gzip_level.value_or(default_gzip_level);
  return {};
}

/// A stream is raw or fixed: the content must not wait for a table that comes before it.
Status Convert::settle_stream() {
  auto& target = options_.target;
  if (!target.format) target.format = format_by_name();
  if (!target.format && to_standard_output()) target.format = "raw";
  if (!target.type && target.format == "vhd") target.type = ImageType::fixed;
  if (!target.format || target.format == "raw" || target.type == ImageType::fixed) return {};
  return usage_error(
      fmt::format("a {} {} cannot be written as a stream; --type fixed can, and --format raw",
                  name(target.type.value_or(ImageType::dynamic)), *target.format));
}

Status Convert::settle_target() {
  TOOL_TRY(settle_compression());
  if (profile_ != nullptr) TOOL_TRY(apply_profile(*profile_, format_by_name(), options_.target));
  if (is_stream() || measure_) TOOL_TRY(settle_stream());
  TOOL_TRY(check_raw_target(options_.target, format_by_name()));
  if (!to_standard_output()) return {};
  if (options_.verify) return usage_error("--verify: what went to the standard output is gone");
  if (output_.json && !measure_) return usage_error("--json: the standard output is the disk's");
  if (options_.source == "-") return usage_error("SRC and DST cannot both be -");
  if (!measure_ && standard_output_is_terminal())
    return usage_error("the standard output is a terminal; redirect it, or name a file");
  return {};
}

Status Convert::take_standard_input() {
  if (options_.source != "-") return {};
  if (measure_) return usage_error("--measure needs a source with a name");
  TOOL_ASSIGN(auto opened, InputStream::open({}));
  const auto input = std::make_shared<InputStream>(std::move(opened));
  options_.source = input->name();
  options_.source_stream = [input](std::span<std::byte> out) { return input->read(out); };
  return {};
}

Result<Exit> Convert::measure() {
  TOOL_ASSIGN(const auto streamed, run_job<Streamed>("measure", output_, [this](Progress& p) {
                return measure_stream(options_, p);
              }));
  if (output_.json) {
    print_json({{"format", streamed.disk.format},
                {"type", name(streamed.disk.type)},
                {"virtual_size", streamed.disk.virtual_size},
                {"stream_bytes", streamed.stream_bytes}});
  } else {
    print_line(fmt::format("{}", streamed.stream_bytes));
  }
  return Exit::success;
}

Result<Exit> Convert::to_stream() {
  TOOL_ASSIGN(const auto streamed, run_job<Streamed>("convert", output_, [this](Progress& p) {
                const Knockable knockable;
                return convert_to_stream(options_, write_standard_output, p);
              }));
  if (!verbose_) return Exit::success;
  remark(fmt::format(
      "streamed {}: {}, {} bytes{}", text_of(options_.source),
      kind_of(streamed.disk.format, streamed.disk.type), streamed.stream_bytes,
      options_.gzip_level ? fmt::format(", compressed to {}", streamed.written_bytes) : ""));
  return Exit::success;
}

void Convert::print_document(const CreatedDisk& created) const {
  const auto& copied = *created.copied;
  auto document = created_document(created);
  document["source_size"] = copied.source_size;
  document["written_bytes"] = copied.written_bytes;
  document["cloned_bytes"] = copied.cloned_bytes;
  document["digest"] = nullptr;
  if (!copied.digest.empty()) document["digest"] = copied.digest;
  print_json(document);
}

Result<Exit> Convert::to_file() {
  TOOL_ASSIGN(const auto created, run_job<CreatedDisk>("convert", output_, [this](Progress& p) {
                const Knockable knockable;
                return convert(options_, p);
              }));
  const auto& copied = *created.copied;
  if (output_.json) {
    print_document(created);
  } else {
    auto remarks = rounding_remark(created, options_.size.value_or(copied.source_size));
    if (options_.verify) remarks += fmt::format("{}verified", remarks.empty() ? "" : "; ");
    print_created(created, output_, "created", remarks);
  }
  if (verbose_) {
    remark(fmt::format("{} bytes written, {} cloned{}", copied.written_bytes, copied.cloned_bytes,
                       copied.digest.empty() ? "" : fmt::format("; digest {}", copied.digest)));
  }
  return Exit::success;
}

Result<Exit> Convert::run() {
  TOOL_TRY(settle_target());
  TOOL_TRY(take_standard_input());
  if (measure_) return measure();
  return to_standard_output() ? to_stream() : to_file();
}

}  // namespace

std::unique_ptr<Command> make_convert() {
  return std::make_unique<Convert>();
}

}  // namespace vdisk::tool
