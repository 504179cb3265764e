// Fuzz target: a file of any content is taken for a gzip file: what opens holds what zlib finds in
// it, whatever the order in which it is read.
#include <algorithm>

#include <zlib.h>

#include "fuzz/byte_reader.h"
#include "fuzz/promise.h"
#include "io/gzip_file.h"
#include "io/memory_file.h"

namespace vdisk::fuzz {
namespace {

/// More bytes than this are read in parts alone.
constexpr u64 most_compared = 8 * mib;
constexpr std::size_t probe_size = 5000;
constexpr int gzip_window_bits = 15 + 16;

/// All members, one after the other, each by one call of inflate.
std::vector<std::byte> unpack(std::span<const std::byte> packed, u64 size) {
  std::vector<std::byte> out(size + 1);  // zlib must have room to say that it is at the end
  u64 done = 0;
  while (!packed.empty() && packed.front() != std::byte{}) {
    z_stream stream{};
    require(inflateInit2(&stream, gzip_window_bits) == Z_OK, "no memory");
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream.avail_out = static_cast<uInt>(out.size() - done);
    const int result = inflate(&stream, Z_FINISH);
    done = out.size() - stream.avail_out;
    packed = packed.last(stream.avail_in);
    (void)inflateEnd(&stream);
    require(result == Z_STREAM_END, "zlib refuses what was opened");
    const auto next = std::ranges::find_if(packed, [](std::byte b) { return b != std::byte{}; });
    packed = packed.subspan(static_cast<std::size_t>(next - packed.begin()));
  }
  require(done == size, "another size than zlib finds");
  out.resize(size);
  return out;
}

void compare(const File& file, std::span<const std::byte> packed, ByteReader& probes) {
  const u64 size = file.size().value();
  std::vector<std::byte> found(1);
  require(!file.read_at(size, found), "bytes behind the end");
  if (size == 0 || size > most_compared) return;
  const auto expected = unpack(packed, size);
  while (!probes.at_end()) {
    const u64 offset = probes.number(3) % size;
    found.resize(std::min<u64>(probe_size, size - offset));
    require_success(file.read_at(offset, found), "a read");
    require(std::ranges::equal(found, std::span(expected).subspan(offset, found.size())),
            "other bytes than zlib finds");
  }
}

}  // namespace
}  // namespace vdisk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vdisk;
  fuzz::ByteReader input(std::as_bytes(std::span(data, size)));
  constexpr u8 most_probes = 16;
  fuzz::ByteReader probes(input.bytes(std::size_t{3} * (input.byte() % most_probes)));
  const auto packed = input.rest();
  const auto base = std::make_shared<MemoryFile>("input");
  fuzz::require_success(base->write_at(0, packed), "write");
  Progress progress;
  const auto file = GzipFile::open(base, progress);
  if (file) {
    fuzz::compare(**file, packed, probes);
  } else {
    fuzz::require(file.error().message.find("gzip") != std::string::npos, file.error().message);
  }
  return 0;
}
