/// A new image as a stream of bytes: what stands before the content, the content, what follows it.
#pragma once

#include "engine/new_image.h"
#include "vdisk/byte_stream.h"

namespace vdisk {

/// An empty image laid out in memory, whose content would lie in one piece of the file.
class ImageStream {
 public:
  /// Errors: unsupported when the content of such an image does not lie in one piece.
  static Result<ImageStream> plan(const TargetPlan& plan);

  /// Exactly as many bytes as write() gives.
  [[nodiscard]] u64 size() const { return size_; }
  /// Advances the progress by size() bytes in total. What lies behind the end of the source is
  /// zeros.
  Status write(const Disk& source, const ByteSink& sink, Progress& progress) const;

 private:
  ImageStream(std::shared_ptr<File> layout, Extent content, u64 size)
      : layout_(std::move(layout)), content_(content), size_(size) {}
  Status write_layout(u64 begin, u64 end, const ByteSink& sink, Progress& progress) const;

  std::shared_ptr<File> layout_;
  Extent content_;
  u64 size_;
};

}  // namespace vdisk
