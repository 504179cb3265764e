#include "formats/formats.h"

#include <doctest/doctest.h>

#include "formats/raw/raw.h"
#include "io/memory_file.h"
#include "support/counting_file.h"

using namespace vdisk;

TEST_CASE("formats are found by name and by extension of any case") {
  CHECK(find_format("raw") == &raw::format);
  CHECK(find_format("RAW") == nullptr);
  CHECK(find_format("qcow2") == nullptr);
  CHECK(find_format_by_extension(".raw") == &raw::format);
  CHECK(find_format_by_extension(".IMG") == &raw::format);
  CHECK(find_format_by_extension("raw") == nullptr);
  CHECK(find_format_by_extension("") == nullptr);
}

TEST_CASE("every row of the table is complete and its names are its own") {
  for (const Format* format : all_formats()) {
    CAPTURE(format->name);
    CHECK(find_format(format->name) == format);
    CHECK_FALSE(format->extensions.empty());
    for (const auto extension : format->extensions) {
      CHECK(find_format_by_extension(extension) == format);
    }
    CHECK((format->probe != nullptr));
    CHECK((format->needs_recovery != nullptr));
    CHECK((format->recover != nullptr));
    CHECK((format->open != nullptr));
    CHECK((format->complete != nullptr));
    CHECK((format->create != nullptr));
    CHECK((format->check != nullptr));
    CHECK((format->dump != nullptr));
  }
}

TEST_CASE("probe recognises nothing in bytes without a signature") {
  for (const u64 size : {0u, 1u, 511u, 512u, 513u, 1023u, 1024u, 1025u, 100000u}) {
    CAPTURE(size);
    const auto content = std::vector<std::byte>(size, std::byte{0x41});
    const auto found = probe(*MemoryFile::with_content(content));
    REQUIRE(found);
    CHECK(*found == nullptr);
  }
}

TEST_CASE("probe reads at most the first 512 and the last 1024 bytes") {
  test::CountingFile file(MemoryFile::with_content(std::vector<std::byte>(1 * mib)));
  REQUIRE(probe(file));
  CHECK(file.counts().reads <= 2);
  CHECK(file.counts().read_bytes <= 1536);
}
