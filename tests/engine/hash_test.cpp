/// hash: digests depend on the guest's content alone.
#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::write_and_close;

namespace {

Digest digest(const MemoryPlace& place, const std::filesystem::path& path,
              DigestAlgorithm algorithm) {
  HashOptions options;
  options.path = path;
  options.algorithm = algorithm;
  options.open = place.options();
  Progress progress;
  return hash(options, progress).value();
}

}  // namespace

TEST_CASE("SHA-256 of a disk is that of its bytes") {
  const MemoryPlace place;
  const auto empty = place.create("empty.vhdx", mib);
  // printf of 1 MiB zeros | sha256sum
  CHECK(digest(place, empty, DigestAlgorithm::sha256).hex ==
        "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58");
  const auto ones = place.create("ones.vhd", mib);
  write_and_close(place, ones, 0, filled(mib, 'a'));
  // the same of 1 MiB of the letter a
  CHECK(digest(place, ones, DigestAlgorithm::sha256).hex ==
        "9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360");
}

TEST_CASE("both digests see content, not format, type or stored zeros") {
  const MemoryPlace place;
  Target fixed;
  fixed.type = ImageType::fixed;
  const std::vector<std::filesystem::path> paths = {
      place.create("a.vhd", 5 * mib), place.create("b.vhdx", 5 * mib),
      place.create("c.vhdx", 5 * mib, fixed), place.create("d.vhd", 5 * mib, fixed)};
  for (const auto& path : paths) write_and_close(place, path, 3 * mib, filled(mib, 0x5A));
  write_and_close(place, paths[1], 0, filled(mib, 0));
  for (const auto algorithm : {DigestAlgorithm::xxh3_128, DigestAlgorithm::sha256}) {
    const auto expected = digest(place, paths[0], algorithm);
    for (const auto& path : paths) CHECK(digest(place, path, algorithm).hex == expected.hex);
  }
}

TEST_CASE("only what is stored is read") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 64 * tib);
  write_and_close(place, path, 40 * tib, filled(mib, 1));
  place.files->reset();
  const auto result = digest(place, path, DigestAlgorithm::xxh3_128);
  CHECK(result.virtual_size == 64 * tib);
  CHECK(result.bytes_hashed <= 32 * mib);
  CHECK(place.files->counts().read_bytes <= 34 * mib);
}

TEST_CASE("a long run of zeros does not hold up a cancel of SHA-256") {
  const MemoryPlace place;
  HashOptions options;
  options.path = place.create("a.vhdx", 64 * tib);
  options.algorithm = DigestAlgorithm::sha256;
  options.open = place.options();
  Progress progress(std::make_shared<test::CancelingCore>(0));
  const auto result = hash(options, progress);
  REQUIRE(!result);
  CHECK(result.error().code == Errc::canceled);
}
