#include "io/inflater.h"

#include <algorithm>
#include <climits>

#include <fmt/format.h>
#include <zlib.h>

#include "base/checksum.h"
#include "base/try.h"

namespace vdisk {

namespace {

constexpr u64 input_size = 64 * kib;
constexpr u64 window_size = 32 * kib;
constexpr u64 trailer_size = 8;  // CRC-32 and length of a member
constexpr int gzip_window_bits = 15 + 16;
constexpr int raw_window_bits = -15;
constexpr int fast_compression = 1;
// z_stream::data_type after inflate(Z_BLOCK).
constexpr int at_block_end = 128;
constexpr int in_last_block = 64;
constexpr int unused_bits = 7;

Bytef* zlib_bytes(std::span<std::byte> data) {
  return reinterpret_cast<Bytef*>(data.data());
}
const Bytef* zlib_input(std::span<const std::byte> data) {
  return reinterpret_cast<const Bytef*>(data.data());
}

/// Windows are kept deflated: those of zeros cost nothing.
std::vector<std::byte> deflated(std::span<const std::byte> window) {
  uLongf length = compressBound(static_cast<uLong>(window.size()));
  std::vector<std::byte> packed(length);
  const int result = compress2(zlib_bytes(packed), &length, zlib_input(window),
                               static_cast<uLong>(window.size()), fast_compression);
  packed.resize(result == Z_OK ? length : 0);
  packed.shrink_to_fit();
  return packed;
}

}  // namespace

Inflater::Inflater(const File& base, u64 base_size)
    : base_(base),
      base_size_(base_size),
      stream_(std::make_unique<z_stream>()),
      buffer_(input_size) {}

Inflater::~Inflater() {
  if (open_) (void)inflateEnd(stream_.get());
}

u64 Inflater::in() const {
  return read_ - stream_->avail_in;
}

std::unexpected<Error> Inflater::broken(Errc code, const char* found) const {
  return fail_at(in(), code,
                 fmt::format("{}: gzip stream at {:#x}: {}, expected compressed bytes",
                             base_.name(), in(), found));
}

Status Inflater::begin(const InflatePoint& point) {
  if (open_) (void)inflateEnd(stream_.get());
  *stream_ = {};
  raw_ = !point.at_member;
  open_ = inflateInit2(stream_.get(), raw_ ? raw_window_bits : gzip_window_bits) == Z_OK;
  if (!open_) return fail(Errc::no_memory, "no memory for decompressing");
  out_ = point.out;
  read_ = point.in;
  finished_ = false;
  at_member_ = point.at_member;
  if (point.bits != 0) {
    std::byte before{};
    VDISK_TRY(base_.read_at(point.in - 1, std::span(&before, 1)));
    const int value = std::to_integer<int>(before) >> (CHAR_BIT - point.bits);
    (void)inflatePrime(stream_.get(), point.bits, value);
  }
  if (point.window.empty()) return {};
  std::vector<std::byte> window(window_size);
  uLongf length = window.size();
  if (uncompress(zlib_bytes(window), &length, zlib_input(point.window),
                 static_cast<uLong>(point.window.size())) != Z_OK ||
      inflateSetDictionary(stream_.get(), zlib_bytes(window), static_cast<uInt>(length)) != Z_OK) {
    return fail(Errc::no_memory, "no memory for decompressing");
  }
  return {};
}

InflatePoint Inflater::point() const {
  InflatePoint point{.out = out_, .in = in(), .at_member = at_member_};
  if (at_member_) return point;
  point.bits = stream_->data_type & unused_bits;
  std::vector<std::byte> window(window_size);
  uInt length = 0;
  (void)inflateGetDictionary(stream_.get(), zlib_bytes(window), &length);
  point.window = deflated(std::span(window).first(length));
  return point;
}

Result<Inflater::Step> Inflater::step(std::span<std::byte> out, bool stop_at_points) {
  Step done;
  while (done.produced == 0 && !done.at_point && !finished_) {
    if (stream_->avail_in == 0) VDISK_TRY(refill());
    stream_->next_out = zlib_bytes(out);
    stream_->avail_out = static_cast<uInt>(out.size());
    const bool ended = stream_->avail_in == 0;
    const int result = inflate(stream_.get(), stop_at_points ? Z_BLOCK : Z_NO_FLUSH);
    done.produced = out.size() - stream_->avail_out;
    out_ += done.produced;
    at_member_ = false;
    if (result == Z_STREAM_END) {
      VDISK_TRY(end_member());
      done.at_point = stop_at_points && !finished_;
    } else if (result == Z_BUF_ERROR && ended) {
      return broken(Errc::file_size_invalid, "the file ends");
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return broken(Errc::invalid_data, stream_->msg != nullptr ? stream_->msg : "damaged bytes");
    } else {
      const int state = stream_->data_type;
      done.at_point = stop_at_points && (state & at_block_end) != 0 && (state & in_last_block) == 0;
    }
  }
  return done;
}

Status Inflater::refill() {
  const u64 count = std::min<u64>(buffer_.size(), base_size_ - read_);
  const auto part = std::span(buffer_).first(static_cast<std::size_t>(count));
  VDISK_TRY(base_.read_at(read_, part));
  read_ += count;
  stream_->next_in = zlib_bytes(part);
  stream_->avail_in = static_cast<uInt>(count);
  return {};
}

/// Another member may follow, or zeros that fill up a tape block.
Status Inflater::end_member() {
  if (raw_) VDISK_TRY(skip_trailer());
  raw_ = false;
  at_member_ = true;
  VDISK_TRY(settle_end());
  if (finished_) return {};
  if (inflateReset2(stream_.get(), gzip_window_bits) == Z_OK) return {};
  return broken(Errc::invalid_data, "a member that cannot begin");
}

Status Inflater::skip_trailer() {
  for (u64 left = trailer_size; left > 0;) {
    if (stream_->avail_in == 0) VDISK_TRY(refill());
    if (stream_->avail_in == 0) return broken(Errc::file_size_invalid, "the file ends");
    const auto count = static_cast<uInt>(std::min<u64>(left, stream_->avail_in));
    stream_->next_in += count;
    stream_->avail_in -= count;
    left -= count;
  }
  return {};
}

Status Inflater::settle_end() {
  for (;;) {
    if (stream_->avail_in == 0) VDISK_TRY(refill());
    finished_ = stream_->avail_in == 0;
    if (finished_ || *stream_->next_in != 0) return {};
    ++stream_->next_in;
    --stream_->avail_in;
  }
}

}  // namespace vdisk
