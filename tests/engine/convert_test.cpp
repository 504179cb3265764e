/// convert: every pair, streams, gzip'd sources and targets, one layer alone, verification.
#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

using Bytes = std::vector<std::byte>;
constexpr u64 disk_size = 5 * mib + 512;

struct Shape {
  std::string extension;
  ImageType type;
};
const std::vector<Shape> shapes = {{"raw", ImageType::fixed},
                                   {"vhd", ImageType::fixed},
                                   {"vhd", ImageType::dynamic},
                                   {"vhdx", ImageType::fixed},
                                   {"vhdx", ImageType::dynamic}};
const std::vector<Shape> streamable = {
    {"raw", ImageType::fixed}, {"vhd", ImageType::fixed}, {"vhdx", ImageType::fixed}};

Target shaped(const Shape& shape) {
  Target target;
  target.type = shape.type;
  return target;
}

/// Data at both ends and across a block end, the rest is zeros.
std::filesystem::path make_source(const MemoryPlace& place, const Shape& shape) {
  const auto path = place.create("source." + shape.extension, disk_size, shaped(shape));
  write_and_close(place, path, 0, filled(4096, 1));
  write_and_close(place, path, 2 * mib - 512, filled(4096, 2));
  write_and_close(place, path, disk_size - 512, filled(512, 3));
  return path;
}

ConvertOptions options_for(const MemoryPlace& place, const std::filesystem::path& source,
                           const std::string& target, const Shape& shape) {
  ConvertOptions options;
  options.source = source;
  options.target = shaped(shape);
  options.target.path = "/disks/" + target;
  options.open = place.options();
  return options;
}

Result<CreatedDisk> run(const ConvertOptions& options) {
  Progress progress;
  return convert(options, progress);
}

Errc outcome(const ConvertOptions& options) {
  const auto created = run(options);
  return created ? Errc::success : created.error().code;
}

Result<Bytes> stream(const ConvertOptions& options) {
  Bytes bytes;
  Progress progress;
  const auto sink = [&](std::span<const std::byte> piece) -> Status {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return {};
  };
  auto streamed = convert_to_stream(options, sink, progress);
  if (!streamed) return std::unexpected(std::move(streamed).error());
  CHECK(streamed->written_bytes == bytes.size());
  return bytes;
}

/// Does something when the copy is complete, and is about to be verified.
class AtVerify : public test::CancelingCore {
 public:
  explicit AtVerify(std::function<void()> act) : CancelingCore(~u64{0}), act_(std::move(act)) {}
  void set_phase(std::string_view phase) override {
    if (phase == "verify") act_();
  }

 private:
  std::function<void()> act_;
};

/// Puts bytes into a new file of the place.
std::filesystem::path store(const MemoryPlace& place, const std::string& name, const Bytes& bytes) {
  const std::filesystem::path path = "/disks/" + name;
  const auto file = place.files->create_beside(path).value();
  must(file->write_at(0, bytes));
  must(place.files->publish(*file, path, true));
  return path;
}

bool exists(const MemoryPlace& place, const std::string& name) {
  return place.files->identity("/disks/" + name).has_value();
}

}  // namespace

TEST_CASE("convert: every pair, verified, with the same content and digest") {
  for (const Shape& from : shapes) {
    for (const Shape& to : shapes) {
      CAPTURE(from.extension);
      CAPTURE(to.extension);
      const MemoryPlace place;
      const auto source = make_source(place, from);
      auto options = options_for(place, source, "copy." + to.extension, to);
      options.verify = true;
      const auto created = run(options);
      REQUIRE_MESSAGE(created, created.error().message);
      REQUIRE(created->copied);
      CHECK(created->copied->source_size == disk_size);
      CHECK(created->copied->digest.size() == 32);
      CHECK(read(place.open(created->path), 0, disk_size) ==
            read(place.open(source), 0, disk_size));
      CHECK(place.check(created->path).clean());
      Progress progress;
      CHECK(hash({.path = source, .open = place.options()}, progress)->hex ==
            created->copied->digest);
    }
  }
}

TEST_CASE("convert: a stream is the image, of exactly the size that was said") {
  for (const Shape& from : shapes) {
    for (const Shape& to : streamable) {
      CAPTURE(from.extension);
      CAPTURE(to.extension);
      const MemoryPlace place;
      const auto source = make_source(place, from);
      const auto options = options_for(place, source, "stream." + to.extension, to);
      Progress progress;
      const auto measured = measure_stream(options, progress);
      REQUIRE_MESSAGE(measured, measured.error().message);
      const auto bytes = stream(options);
      REQUIRE_MESSAGE(bytes, bytes.error().message);
      CHECK(bytes->size() == measured->stream_bytes);
      CHECK(!exists(place, "stream." + to.extension));
      const auto stored = store(place, "stored." + to.extension, *bytes);
      CHECK(read(place.open(stored), 0, disk_size) == read(place.open(source), 0, disk_size));
      CHECK(place.open(stored).size() == disk_size);
      CHECK(place.check(stored).clean());
    }
  }
}

TEST_CASE("convert: what has a table before its blocks cannot be streamed") {
  const MemoryPlace place;
  const auto source = make_source(place, {"raw", ImageType::fixed});
  for (const std::string extension : {"vhd", "vhdx"}) {
    auto options = options_for(place, source, "s." + extension, {extension, ImageType::dynamic});
    CHECK(stream(options).error().code == Errc::unsupported);
    options.gzip_level = 6;
    CHECK(outcome(options) == Errc::unsupported);
    CHECK(!exists(place, "s." + extension));
  }
  auto options = options_for(place, source, "s.raw", {"raw", ImageType::fixed});
  options.verify = true;
  CHECK(stream(options).error().code == Errc::invalid_argument);
}

TEST_CASE("convert: gzip out, and in again as a source of every format") {
  for (const Shape& shape : streamable) {
    CAPTURE(shape.extension);
    const MemoryPlace place;
    const auto source = make_source(place, {"vhdx", ImageType::dynamic});
    auto options = options_for(place, source, "d." + shape.extension + ".gz", shape);
    options.gzip_level = 1;
    options.verify = true;
    const auto packed = run(options);
    REQUIRE_MESSAGE(packed, packed.error().message);
    CHECK(packed->copied->written_bytes < mib);
    CHECK(packed->format == shape.extension);
    const auto back = options_for(place, packed->path, "back.vhdx", {"vhdx", ImageType::dynamic});
    const auto unpacked = run(back);
    REQUIRE_MESSAGE(unpacked, unpacked.error().message);
    CHECK(read(place.open(unpacked->path), 0, disk_size) == read(place.open(source), 0, disk_size));
  }
}

TEST_CASE("convert: a gzip'd image whose blocks lie in any order") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    const MemoryPlace place;
    const auto image = place.create("image." + extension, 40 * mib);
    for (int index = 19; index >= 0; --index) {
      write_and_close(place, image, static_cast<u64>(index) * 2 * mib, filled(3000 * 512, index));
    }
    // The file itself as a raw disk: its bytes, packed.
    auto pack = options_for(place, image, "image." + extension + ".gz", {"raw", ImageType::fixed});
    pack.open.format = "raw";
    pack.target.format = "raw";
    pack.gzip_level = 1;
    REQUIRE(outcome(pack) == Errc::success);
    const auto back = options_for(place, pack.target.path, "back.raw", {"raw", ImageType::fixed});
    const auto unpacked = run(back);
    REQUIRE_MESSAGE(unpacked, unpacked.error().message);
    CHECK(read(place.open(unpacked->path), 0, 40 * mib) == read(place.open(image), 0, 40 * mib));
  }
}

TEST_CASE("convert: what looks like gzip is a disk where name or trailer says so") {
  const MemoryPlace place;
  const Bytes magic = {std::byte{0x1F}, std::byte{0x8B}, std::byte{8}};
  Bytes sector = magic;
  sector.resize(512);
  const auto raw = place.create("guest.raw", mib);
  write_and_close(place, raw, 0, sector);
  auto options = options_for(place, raw, "a.vhdx", {"vhdx", ImageType::dynamic});
  CHECK(outcome(options) == Errc::ambiguous_format);
  options.open.format = "raw";
  CHECK(outcome(options) == Errc::success);
  const auto fixed = place.create("guest.vhd", mib, shaped({"vhd", ImageType::fixed}));
  write_and_close(place, fixed, 0, sector);
  CHECK(outcome(options_for(place, fixed, "b.vhdx", {"vhdx", ImageType::dynamic})) ==
        Errc::success);
  const auto unknown = store(place, "unknown.bin", sector);
  CHECK(outcome(options_for(place, unknown, "c.vhdx", {"vhdx", ImageType::dynamic})) ==
        Errc::invalid_data);
}

TEST_CASE("convert: one layer alone has zeros where its parent has data") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    const MemoryPlace place;
    const auto base = place.create("base." + extension, 4 * mib);
    write_and_close(place, base, 0, filled(4 * mib, 1));
    const auto child = place.snapshot(base, "child." + extension);
    write_and_close(place, child, mib, filled(512, 2));
    auto options = options_for(place, child, "layer.raw", {"raw", ImageType::fixed});
    options.layer = true;
    REQUIRE(outcome(options) == Errc::success);
    Bytes expected(4 * mib);
    std::ranges::fill(std::span(expected).subspan(mib, 512), std::byte{2});
    CHECK(read(place.open("/disks/layer.raw"), 0, 4 * mib) == expected);
    must(place.files->remove(base));  // the parent need not even be there
    options.target.replace = true;
    CHECK(outcome(options) == Errc::success);
    options.layer = false;
    CHECK(outcome(options) == Errc::parent_not_found);
  }
}

TEST_CASE("convert: sizes are rounded up to the multiple, and never cut the source") {
  const MemoryPlace place;
  const auto source = make_source(place, {"raw", ImageType::fixed});
  auto options = options_for(place, source, "a.vhd", {"vhd", ImageType::fixed});
  options.target.size_multiple = mib;
  options.verify = true;
  const auto created = run(options);
  REQUIRE_MESSAGE(created, created.error().message);
  CHECK(created->virtual_size == 6 * mib);
  CHECK(created->copied->source_size == disk_size);
  const auto bytes = stream([&] {
    auto streaming = options;
    streaming.verify = false;
    return streaming;
  }());
  REQUIRE(bytes);
  CHECK(bytes->size() == 6 * mib + 512);
  options.target.path = "/disks/b.vhd";
  options.size = disk_size - 512;
  CHECK(outcome(options) == Errc::invalid_argument);
  options.size = ~u64{0};
  CHECK(outcome(options) == Errc::invalid_argument);
}

TEST_CASE("convert: bytes of a stream become a disk, raw or by their signature") {
  const MemoryPlace place;
  const auto original = make_source(place, {"vhdx", ImageType::dynamic});
  const auto image = place.bytes(original).all();
  for (const bool as_raw : {false, true}) {
    auto options = options_for(place, "standard input", as_raw ? "raw.vhdx" : "copy.vhdx",
                               {"vhdx", ImageType::dynamic});
    if (as_raw) options.open.format = "raw";
    u64 at = 0;
    options.source_stream = [&](std::span<std::byte> out) -> Result<std::size_t> {
      const u64 count = std::min<u64>(out.size(), image.size() - at);
      std::ranges::copy(std::span(image).subspan(at, count), out.begin());
      at += count;
      return count;
    };
    const auto created = run(options);
    REQUIRE_MESSAGE(created, created.error().message);
    const auto disk = place.open(created->path);
    CHECK(read(disk, 0, disk.size()) ==
          (as_raw ? image : read(place.open(original), 0, disk_size)));
  }
}

TEST_CASE("convert: existing targets and the source itself are refused before anything is read") {
  const MemoryPlace place;
  const auto source = make_source(place, {"vhd", ImageType::dynamic});
  auto options = options_for(place, source, "source.vhd", {"vhd", ImageType::dynamic});
  options.target.replace = true;
  CHECK(outcome(options) == Errc::same_file);
  store(place, "there.vhd", filled(10, 1));
  options.target.path = "/disks/there.vhd";
  options.target.replace = false;
  CHECK(outcome(options) == Errc::file_exists);
  options.target.replace = true;
  CHECK(outcome(options) == Errc::success);
}

TEST_CASE("convert: a copy that reads back differently never gets its name") {
  const MemoryPlace place;
  const auto source = make_source(place, {"raw", ImageType::fixed});
  auto options = options_for(place, source, "bad.vhdx", {"vhdx", ImageType::dynamic});
  options.verify = true;
  Progress progress(std::make_shared<AtVerify>([&] {
    const auto file = place.files->open(source, {.access = Access::read_write}).value();
    must(file->write_at(mib, filled(1, 9)));
  }));
  const auto created = convert(options, progress);
  REQUIRE(!created);
  CHECK(created.error().code == Errc::io);
  CHECK(created.error().message.find("digest") != std::string::npos);
  CHECK(!exists(place, "bad.vhdx"));
}

TEST_CASE("P13: convert, canceled at every step, leaves nothing behind") {
  for (const bool packed : {false, true}) {
    const MemoryPlace place;
    const auto source = make_source(place, {"vhdx", ImageType::dynamic});
    auto options = options_for(place, source, packed ? "c.raw.gz" : "c.vhd",
                               {packed ? "raw" : "vhd", ImageType::fixed});
    options.verify = true;
    if (packed) options.gzip_level = 1;
    const u64 steps =
        test::cancel_at_every_step([&](Progress& progress) { return convert(options, progress); },
                                   [&] {
                                     const auto names = place.files->list("/disks").value();
                                     CHECK(names.size() == 1);
                                   });
    CHECK(steps >= 4);
    CHECK(exists(place, packed ? "c.raw.gz" : "c.vhd"));
  }
}
