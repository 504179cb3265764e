#include "io/gzip_file.h"

#include <cstdlib>
#include <random>

#include <doctest/doctest.h>
#include <zlib.h>

#include "base/bytes.h"
#include "io/gzip_writer.h"
#include "io/memory_file.h"
#include "support/canceling_progress.h"

using namespace vdisk;

namespace {

using Bytes = std::vector<std::byte>;

/// What `printf 'hello\n' | gzip -n` gives (gzip 1.12).
constexpr unsigned char hello_gz[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                      0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xe7, 0x02, 0x00,
                                      0x20, 0x30, 0x3a, 0x36, 0x06, 0x00, 0x00, 0x00};

Bytes hello() {
  const auto bytes = std::as_bytes(std::span(hello_gz));
  return {bytes.begin(), bytes.end()};
}

/// Compressed by zlib itself, block ends where it puts them.
Bytes compressed(const Bytes& data, int level) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes packed(deflateBound(&stream, data.size()));
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  (void)deflateEnd(&stream);
  return packed;
}

Bytes joined(const Bytes& a, const Bytes& b) {
  Bytes both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

Result<std::shared_ptr<GzipFile>> open(const Bytes& packed) {
  Progress progress;
  return GzipFile::open(MemoryFile::with_content(packed), progress);
}

Bytes read(const File& file, u64 offset, u64 length) {
  Bytes out(length);
  REQUIRE(file.read_at(offset, out));
  return out;
}

std::string text(const Bytes& bytes) {
  std::string result;
  for (const std::byte letter : bytes) result.push_back(static_cast<char>(letter));
  return result;
}

/// Runs of noise, of text-like bytes and of zeros, so that all kinds of blocks occur.
Bytes mixed(u64 size, std::mt19937& random) {
  Bytes data(size);
  for (u64 at = 0; at < size;) {
    const u64 run = std::min<u64>(size - at, 1 + random() % (512 * kib));
    const u64 kind = random() % 3;
    for (u64 index = at; index < at + run; ++index) {
      const u64 value = kind == 0 ? random() & 0xFF : kind == 1 ? 'a' + random() % 4 : 0;
      data[index] = static_cast<std::byte>(value);
    }
    at += run;
  }
  return data;
}

u32 seed() {
  const char* given = std::getenv("VDISK_SEED");
  return given != nullptr ? static_cast<u32>(std::atoi(given)) : std::random_device{}();
}

}  // namespace

TEST_CASE("gzip file: what gzip wrote, members one after the other, and tape padding") {
  const auto one = open(hello());
  REQUIRE(one);
  CHECK((*one)->size() == 6);
  CHECK(text(read(**one, 0, 6)) == "hello\n");
  CHECK(text(read(**one, 2, 3)) == "llo");

  const auto two = open(joined(joined(hello(), hello()), Bytes(1000)));
  REQUIRE(two);
  CHECK(text(read(**two, 0, 12)) == "hello\nhello\n");
  CHECK(text(read(**two, 6, 6)) == "hello\n");
  CHECK(text(read(**two, 1, 6)) == "ello\nh");
  Bytes too_much(6);
  CHECK((*two)->read_at(7, too_much).error().code == Errc::end_of_file);
}

TEST_CASE("gzip file: damage is refused when it is opened") {
  for (std::size_t length = 0; length < hello().size(); ++length) {
    CAPTURE(length);
    Bytes cut = hello();
    cut.resize(length);
    const auto opened = open(cut);
    REQUIRE(!opened);
    CHECK(opened.error().code == Errc::file_size_invalid);
  }
  for (const std::size_t place : {0UL, 2UL, 12UL, 18UL, 22UL}) {
    CAPTURE(place);
    Bytes damaged = hello();
    damaged[place] ^= std::byte{0x10};
    const auto opened = open(damaged);
    REQUIRE(!opened);
    CHECK(opened.error().code == Errc::invalid_data);
    CHECK(opened.error().message.find("gzip stream at 0x") != std::string::npos);
  }
  CHECK(open(joined(hello(), Bytes(8, std::byte{7}))).error().code == Errc::invalid_data);
}

TEST_CASE("gzip file: any read at any offset equals the original") {
  const u32 start = seed();
  CAPTURE(start);
  std::mt19937 random(start);
  const Bytes data = mixed(10 * mib, random);
  const auto half = static_cast<std::ptrdiff_t>(data.size() / 2);
  const Bytes first(data.begin(), data.begin() + half);
  const Bytes second(data.begin() + half, data.end());
  const auto file = open(joined(compressed(first, 1), compressed(second, 9)));
  REQUIRE(file);
  CHECK((*file)->size() == data.size());
  for (int round = 0; round < 16; ++round) {
    const u64 offset = random() % data.size();
    const u64 length = std::min<u64>(data.size() - offset, random() % (2 * mib));
    CAPTURE(offset);
    const auto begin = data.begin() + static_cast<std::ptrdiff_t>(offset);
    CHECK(read(**file, offset, length) ==
          Bytes(begin, begin + static_cast<std::ptrdiff_t>(length)));
  }
}

TEST_CASE("gzip file: it is never written, and opening can be canceled") {
  const auto file = open(hello());
  REQUIRE(file);
  CHECK((*file)->write_at(0, Bytes(1)).error().code == Errc::write_protected);
  CHECK((*file)->resize(0).error().code == Errc::write_protected);
  CHECK((*file)->punch_at(0, 1).error().code == Errc::write_protected);
  const auto base = MemoryFile::with_content(compressed(Bytes(4 * mib), 6));
  const u64 steps = test::cancel_at_every_step(
      [&](Progress& progress) { return GzipFile::open(base, progress); }, [] {});
  CHECK(steps > 0);
}

TEST_CASE("gzip writer: zlib reads what it wrote, of any sizes of pieces") {
  const u32 start = seed();
  CAPTURE(start);
  std::mt19937 random(start);
  const Bytes data = mixed(mib, random);
  for (const int level : {0, 1, 6, 9}) {
    Bytes packed;
    const auto sink = [&](std::span<const std::byte> piece) -> Status {
      packed.insert(packed.end(), piece.begin(), piece.end());
      return {};
    };
    const auto writer = GzipWriter::create(sink, level);
    REQUIRE(writer);
    for (u64 at = 0; at < data.size();) {
      const u64 count = std::min<u64>(data.size() - at, 1 + random() % (300 * kib));
      REQUIRE((*writer)->write(std::span(data).subspan(at, count)));
      at += count;
    }
    REQUIRE((*writer)->finish());
    CHECK((*writer)->written() == packed.size());
    Bytes out(data.size());
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 31) == Z_OK);
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    CHECK(stream.avail_in == 0);
    (void)inflateEnd(&stream);
    CHECK(out == data);
  }
}

TEST_CASE("gzip writer: an error of the sink ends it") {
  const auto writer = GzipWriter::create(
      [](std::span<const std::byte>) -> Status { return fail(Errc::no_space, "full"); }, 1);
  REQUIRE(writer);
  REQUIRE((*writer)->write(Bytes(10)));
  CHECK((*writer)->finish().error().code == Errc::no_space);
}
