/// Compresses a stream of bytes into a gzip stream. The output depends on the bytes and the level
/// alone: no time, no name.
#pragma once

#include <memory>
#include <vector>

#include "vdisk/byte_stream.h"

struct z_stream_s;

namespace vdisk {

class GzipWriter {
 public:
  /// `level` 0 to 9, as zlib has them. Errors: no_memory.
  static Result<std::unique_ptr<GzipWriter>> create(ByteSink sink, int level);
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;
  ~GzipWriter();

  /// Errors: those of the sink.
  Status write(std::span<const std::byte> data);
  /// Writes the end of the stream; nothing may follow.
  Status finish();
  /// Compressed bytes given to the sink so far.
  [[nodiscard]] u64 written() const { return written_; }

 private:
  explicit GzipWriter(ByteSink sink);
  Result<bool> deflate_some(int flush);
  Status write_out();

  const ByteSink sink_;
  std::unique_ptr<z_stream_s> stream_;
  bool open_ = false;
  u64 written_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace vdisk
