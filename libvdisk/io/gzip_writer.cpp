#include "io/gzip_writer.h"

#include <algorithm>
#include <limits>

#include <zlib.h>

#include "base/try.h"

namespace vdisk {

namespace {

constexpr std::size_t buffer_size = 128 * kib;
constexpr int gzip_window_bits = 15 + 16;
constexpr int default_memory_level = 8;

}  // namespace

GzipWriter::GzipWriter(ByteSink sink)
    : sink_(std::move(sink)), stream_(std::make_unique<z_stream>()), buffer_(buffer_size) {}

GzipWriter::~GzipWriter() {
  if (open_) (void)deflateEnd(stream_.get());
}

Result<std::unique_ptr<GzipWriter>> GzipWriter::create(ByteSink sink, int level) {
  std::unique_ptr<GzipWriter> writer(new GzipWriter(std::move(sink)));
  writer->open_ = deflateInit2(writer->stream_.get(), level, Z_DEFLATED, gzip_window_bits,
                               default_memory_level, Z_DEFAULT_STRATEGY) == Z_OK;
  if (!writer->open_) return fail(Errc::no_memory, "no memory for compressing");
  writer->stream_->next_out = reinterpret_cast<Bytef*>(writer->buffer_.data());
  writer->stream_->avail_out = static_cast<uInt>(buffer_size);
  return writer;
}

Status GzipWriter::write(std::span<const std::byte> data) {
  constexpr std::size_t largest = std::numeric_limits<uInt>::max();
  while (!data.empty()) {
    const auto part = data.first(std::min(data.size(), largest));
    stream_->next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(part.data()));
    stream_->avail_in = static_cast<uInt>(part.size());
    while (stream_->avail_in > 0) VDISK_TRY(deflate_some(Z_NO_FLUSH));
    data = data.subspan(part.size());
  }
  return {};
}

Status GzipWriter::finish() {
  for (bool ended = false; !ended;) {
    VDISK_ASSIGN(ended, deflate_some(Z_FINISH));
  }
  return write_out();
}

/// True at the end of the stream.
Result<bool> GzipWriter::deflate_some(int flush) {
  const int result = deflate(stream_.get(), flush);
  if (result == Z_STREAM_ERROR) return fail(Errc::internal, "the compressor is in a wrong state");
  if (stream_->avail_out == 0) VDISK_TRY(write_out());
  return result == Z_STREAM_END;
}

Status GzipWriter::write_out() {
  const std::size_t count = buffer_.size() - stream_->avail_out;
  VDISK_TRY(sink_(std::span(buffer_).first(count)));
  written_ += count;
  stream_->next_out = reinterpret_cast<Bytef*>(buffer_.data());
  stream_->avail_out = static_cast<uInt>(buffer_.size());
  return {};
}

}  // namespace vdisk
