#include "base/checksum.h"

#include <vector>

#include <doctest/doctest.h>

#include "base/bytes.h"

using namespace vdisk;

// Values of FORMATS 6.1, computed by an independent script.
TEST_CASE("crc32c gives the published values") {
  CHECK(crc32c({}) == 0);
  CHECK(crc32c(as_bytes("123456789")) == 0xE3069283);
  CHECK(crc32c(as_bytes("vhdxfile")) == 0xFE8155FC);
  CHECK(crc32c(std::vector<std::byte>(4096)) == 0x98F94189);
  CHECK(crc32c(std::vector<std::byte>(65536)) == 0x72C0C4A4);
}
