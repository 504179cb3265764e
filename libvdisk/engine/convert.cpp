/// convert: the content of a disk in an image of its own, under a name or as a stream of bytes.
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/content_digest.h"
#include "engine/copy.h"
#include "engine/image_stream.h"
#include "engine/new_image.h"
#include "engine/source.h"
#include "io/gzip_writer.h"

namespace vdisk {

namespace {

constexpr u64 spool_piece = 128 * kib;
constexpr u64 sparse_unit = 4 * kib;

/// Source and target of one conversion, before anything is copied.
struct Conversion {
  Disk source;
  TargetPlan plan;
};

/// Takes a stream into a file without a name, leaving zeros out.
Result<std::shared_ptr<File>> spool(const ByteSource& stream, FileSystem& file_system,
                                    const std::filesystem::path& beside, Progress& progress) {
  VDISK_ASSIGN(auto file, file_system.create_beside(beside));
  std::vector<std::byte> buffer(spool_piece);
  u64 size = 0;
  for (;;) {
    VDISK_ASSIGN(const std::size_t count, stream(buffer));
    for (std::size_t at = 0; at < count; at += sparse_unit) {
      const auto unit = std::span(buffer).first(count).subspan(at).first(
          std::min<std::size_t>(sparse_unit, count - at));
      if (!is_zero(unit)) VDISK_TRY(file->write_at(size + at, unit));
    }
    size += count;
    VDISK_TRY(progress.advance(0));
    if (count < buffer.size()) break;
  }
  VDISK_TRY(file->resize(size));
  return file;
}

Result<Disk> open_source_of(const ConvertOptions& options, FileSystem& file_system,
                            Progress& progress) {
  const SourceRequest request{.path = options.source, .layer = options.layer, .open = options.open};
  if (!options.source_stream) return open_source(request, progress);
  progress.phase("receive");
  VDISK_ASSIGN(auto file, spool(options.source_stream, file_system, options.target.path, progress));
  return open_source_file(std::move(file), request, progress);
}

Result<TargetPlan> plan_for(const Disk& source, const ConvertOptions& options) {
  Target target = options.target;
  if (options.gzip_level && is_gzip_name(target.path) && !target.format) {
    // disk.raw.gz holds what disk.raw would be.
    target.path = target.path.parent_path() / target.path.stem();
  }
  VDISK_ASSIGN(auto plan, plan_copy(target, source, options.size));
  plan.path = options.target.path;
  return plan;
}

Result<Conversion> prepare(const ConvertOptions& options, FileSystem& file_system,
                           Progress& progress) {
  VDISK_ASSIGN(auto source, open_source_of(options, file_system, progress));
  VDISK_ASSIGN(auto plan, plan_for(source, options));
  return Conversion{std::move(source), std::move(plan)};
}

/// Reads both sides; the digest when they are equal.
Result<std::string> verify(const Disk& source, const Disk& written, const TargetPlan& plan,
                           Progress& progress) {
  const u64 size = plan.spec.virtual_size;
  progress.phase("verify");
  progress.expect(size * 2);
  constexpr auto algorithm = DigestAlgorithm::xxh3_128;
  VDISK_ASSIGN(const auto expected, digest_content(source, size, algorithm, progress));
  VDISK_ASSIGN(const auto found, digest_content(written, size, algorithm, progress));
  if (found.hex == expected.hex && written.size() == size) return found.hex;
  return fail(Errc::io, fmt::format("{}: the copy, read back, has digest {}, expected {} as the "
                                    "source",
                                    plan.path.string(), found.hex, expected.hex));
}

bool may_clone(const ConvertOptions& options, const TargetPlan& plan) {
  if (options.clone != Clone::automatic) return options.clone == Clone::always;
  return plan.spec.type == ImageType::fixed;
}

Result<CreatedDisk> convert_to_image(const Conversion& conversion, const ConvertOptions& options,
                                     std::shared_ptr<FileSystem> file_system, Progress& progress) {
  const auto& [source, plan] = conversion;
  CopyReport report{.source_size = source.size()};
  progress.phase("copy");
  progress.expect(source.size());
  BuildSteps steps;
  steps.fill = [&](Disk& disk) -> Status {
    const CopyOptions copy{.clone = may_clone(options, plan)};
    VDISK_ASSIGN(const auto counts, copy_content(source, disk, copy, progress));
    report.written_bytes = counts.written_bytes;
    report.cloned_bytes = counts.cloned_bytes;
    return {};
  };
  if (options.verify) {
    steps.inspect = [&](const Disk& written) -> Status {
      VDISK_ASSIGN(report.digest, verify(source, written, plan, progress));
      return {};
    };
  }
  VDISK_ASSIGN(auto created, build_image(std::move(file_system), plan, steps, progress));
  created.copied = std::move(report);
  return created;
}

/// The stream of the image, compressed when a level is given. Compressed or not, what the sink got.
Result<u64> write_stream(const ImageStream& stream, const Disk& source, std::optional<int> level,
                         const ByteSink& sink, Progress& progress) {
  progress.phase("copy");
  progress.expect(stream.size());
  if (!level) {
    VDISK_TRY(stream.write(source, sink, progress));
    return stream.size();
  }
  VDISK_ASSIGN(const auto writer, GzipWriter::create(sink, *level));
  const auto compress = [&](std::span<const std::byte> data) { return writer->write(data); };
  VDISK_TRY(stream.write(source, compress, progress));
  VDISK_TRY(writer->finish());
  return writer->written();
}

/// Opens what was compressed as a reader would.
Result<Disk> reopen_compressed(std::shared_ptr<File> file, const TargetPlan& plan,
                               const std::shared_ptr<FileSystem>& file_system, Progress& progress) {
  SourceRequest request{.path = plan.path, .open = {}};
  request.open.file_system = file_system;
  request.open.format = std::string(plan.format->name);
  return open_source_file(std::move(file), request, progress);
}

Result<CreatedDisk> convert_to_gzip(const Conversion& conversion, const ConvertOptions& options,
                                    const std::shared_ptr<FileSystem>& file_system,
                                    Progress& progress) {
  const auto& [source, plan] = conversion;
  CopyReport report{.source_size = source.size()};
  VDISK_ASSIGN(const auto stream, ImageStream::plan(plan));
  const auto write = [&](const std::shared_ptr<File>& file) -> Status {
    u64 end = 0;
    const auto append = [&](std::span<const std::byte> data) {
      const u64 offset = end;
      end += data.size();
      return file->write_at(offset, data);
    };
    VDISK_ASSIGN(report.written_bytes,
                 write_stream(stream, source, options.gzip_level, append, progress));
    if (!options.verify) return {};
    VDISK_ASSIGN(const Disk written, reopen_compressed(file, plan, file_system, progress));
    VDISK_ASSIGN(report.digest, verify(source, written, plan, progress));
    return {};
  };
  VDISK_ASSIGN(auto created, build_file(file_system, plan, write, progress));
  created.copied = std::move(report);
  return created;
}

struct StreamPlan {
  Conversion conversion;
  ImageStream stream;
};

Result<StreamPlan> prepare_stream(const ConvertOptions& options, Progress& progress) {
  if (options.source_stream) {
    return fail(Errc::invalid_argument, "a stream of a stream: expected a source with a name");
  }
  if (options.verify) {
    return fail(Errc::invalid_argument, "a stream cannot be read back to verify it");
  }
  const auto file_system = file_system_of(options.open);
  VDISK_ASSIGN(auto conversion, prepare(options, *file_system, progress));
  VDISK_ASSIGN(auto stream, ImageStream::plan(conversion.plan));
  return StreamPlan{std::move(conversion), std::move(stream)};
}

Streamed describe_stream(const StreamPlan& plan) {
  Streamed streamed{.stream_bytes = plan.stream.size(), .disk = describe(plan.conversion.plan)};
  streamed.disk.copied = CopyReport{.source_size = plan.conversion.source.size()};
  return streamed;
}

/// Refused before anything long begins; once more with all layers when the source is open.
Status check_name(FileSystem& file_system, const ConvertOptions& options) {
  const auto& path = options.target.path;
  const auto existing = file_system.identity(path);
  if (!existing) return {};
  const auto source = file_system.identity(options.source);
  if (!options.source_stream && source && *source == *existing) {
    return fail(Errc::same_file,
                fmt::format("{}: is the source itself, expected another file", path.string()));
  }
  if (options.target.replace) return {};
  return fail(Errc::file_exists, fmt::format("{}: exists already", path.string()));
}

}  // namespace

Result<CreatedDisk> convert(const ConvertOptions& options, Progress& progress) try {
  auto file_system = file_system_of(options.open);
  VDISK_TRY(check_name(*file_system, options));
  VDISK_ASSIGN(const auto conversion, prepare(options, *file_system, progress));
  const Disk* source = options.source_stream ? nullptr : &conversion.source;
  VDISK_TRY(check_target(*file_system, conversion.plan, source));
  if (options.gzip_level) return convert_to_gzip(conversion, options, file_system, progress);
  return convert_to_image(conversion, options, std::move(file_system), progress);
} catch (...) {
  return error_of_exception();
}

Result<Streamed> convert_to_stream(const ConvertOptions& options, const ByteSink& sink,
                                   Progress& progress) try {
  VDISK_ASSIGN(const auto plan, prepare_stream(options, progress));
  auto streamed = describe_stream(plan);
  VDISK_ASSIGN(streamed.written_bytes, write_stream(plan.stream, plan.conversion.source,
                                                    options.gzip_level, sink, progress));
  return streamed;
} catch (...) {
  return error_of_exception();
}

Result<Streamed> measure_stream(const ConvertOptions& options, Progress& progress) try {
  VDISK_ASSIGN(const auto plan, prepare_stream(options, progress));
  return describe_stream(plan);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
