/// Decompressing a gzip file forwards, member by member, from its start or from a point.
#pragma once

#include <memory>
#include <vector>

#include "io/gzip_file.h"

struct z_stream_s;

namespace vdisk {

class Inflater {
 public:
  struct Step {
    std::size_t produced = 0;
    bool at_point = false;  ///< decompression could begin again here
  };

  explicit Inflater(const File& base, u64 base_size);
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater();

  /// Errors: no_memory, invalid_data, io.
  Status begin(const InflatePoint& point);
  /// Some of the next bytes; none at a point and at the end. Stops at points if asked to.
  /// Errors: invalid_data, file_size_invalid, io.
  Result<Step> step(std::span<std::byte> out, bool stop_at_points);

  [[nodiscard]] bool finished() const { return finished_; }
  /// Offset of the next byte, decompressed.
  [[nodiscard]] u64 out() const { return out_; }
  /// Offset of the next byte of the file.
  [[nodiscard]] u64 in() const;
  /// The present place, which must be a point.
  [[nodiscard]] InflatePoint point() const;

 private:
  Status refill();
  Status end_member();
  Status skip_trailer();
  Status settle_end();
  [[nodiscard]] std::unexpected<Error> broken(Errc code, const char* found) const;

  const File& base_;
  const u64 base_size_;
  std::unique_ptr<z_stream_s> stream_;
  bool open_ = false;
  bool raw_ = false;  ///< deflate data without the header, so that the trailer is ours to skip
  bool at_member_ = true;
  bool finished_ = false;
  u64 out_ = 0;
  u64 read_ = 0;  ///< bytes of the file read so far
  std::vector<std::byte> buffer_;
};

}  // namespace vdisk
