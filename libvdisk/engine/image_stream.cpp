#include "engine/image_stream.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/try.h"
#include "engine/content.h"
#include "io/memory_file.h"

namespace vdisk {

namespace {

/// An image is laid out here to see its map: what was never written is data to be, not a hole.
class LayoutFile : public MemoryFile {
 public:
  [[nodiscard]] Result<Hole> next_hole(u64) const override {
    VDISK_ASSIGN(const u64 end, size());
    return Hole{end, 0};
  }
};

/// Passes guest bytes on, in pieces, zeros from a buffer of their own.
class ContentWriter {
 public:
  ContentWriter(const Disk& source, const ByteSink& sink, Progress& progress)
      : source_(source), sink_(sink), progress_(progress) {}

  Status run(u64 length) {
    for (u64 offset = 0; offset < length;) {
      VDISK_ASSIGN(const auto run, padded_run_at(source_, offset, length - offset));
      const u64 count = std::min(run.length, piece_size);
      VDISK_TRY(run.data ? write_data(offset, count) : write(std::span(zeros_).first(count)));
      offset += count;
    }
    return {};
  }

 private:
  Status write_data(u64 offset, u64 count) {
    const auto piece = std::span(buffer_).first(count);
    VDISK_TRY(source_.read(offset, piece));
    return write(piece);
  }
  Status write(std::span<const std::byte> piece) {
    VDISK_TRY(sink_(piece));
    return progress_.advance(piece.size());
  }

  const Disk& source_;
  const ByteSink& sink_;
  Progress& progress_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(piece_size);
  const std::vector<std::byte> zeros_ = std::vector<std::byte>(piece_size);
};

}  // namespace

Result<ImageStream> ImageStream::plan(const TargetPlan& plan) {
  auto layout = std::make_shared<LayoutFile>();
  if (auto created = plan.format->create(*layout, plan.spec); !created) {
    return std::unexpected(at_path(plan.path, std::move(created).error()));
  }
  VDISK_ASSIGN(const u64 size, layout->size());
  VDISK_ASSIGN(const Disk disk, open_new_image({}, plan, layout, Access::read_only));
  VDISK_ASSIGN(const auto content, disk.layer_extent_at(0, 0, disk.size()));
  if (content.state == State::data && content.length == disk.size()) {
    return ImageStream(std::move(layout), content, size);
  }
  return fail(Errc::unsupported,
              fmt::format("{}: a {} {} image cannot be streamed, expected raw or a fixed one: its "
                          "table comes before the blocks that it names",
                          plan.path.string(), name(plan.spec.type), plan.format->name));
}

Status ImageStream::write(const Disk& source, const ByteSink& sink, Progress& progress) const {
  const u64 content_end = content_.file_offset + content_.length;
  VDISK_TRY(write_layout(0, content_.file_offset, sink, progress));
  VDISK_TRY(ContentWriter(source, sink, progress).run(content_.length));
  return write_layout(content_end, size_, sink, progress);
}

Status ImageStream::write_layout(u64 begin, u64 end, const ByteSink& sink,
                                 Progress& progress) const {
  std::vector<std::byte> buffer(std::min(end - begin, piece_size));
  for (u64 offset = begin; offset < end;) {
    const auto piece = std::span(buffer).first(std::min<u64>(end - offset, buffer.size()));
    VDISK_TRY(layout_->read_at(offset, piece));
    VDISK_TRY(sink(piece));
    offset += piece.size();
    VDISK_TRY(progress.advance(piece.size()));
  }
  return {};
}

}  // namespace vdisk
