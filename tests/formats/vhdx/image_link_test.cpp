// Linking a child to its parent again: the locator, its place in the region, identity, power loss.
#include "formats/vhdx/image_fixture.h"
#include "support/crash_file.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;

namespace {

const Guid first_id{{0xAA, 1}};
const Guid second_id{{0xBB, 2}};

ParentLink link_to(std::vector<Guid> ids) {
  ParentLink link;
  link.accepted_ids = std::move(ids);
  return link;
}

ParentLink link_of(const File& file) {
  auto memory = static_cast<const MemoryFile&>(file).clone();
  return *open(memory, Access::read_only)->info().parent;
}

}  // namespace

TEST_CASE("link_parent replaces the ids, keeps the paths, and is durable") {
  const auto file = make_image({.type = ImageType::differencing});
  const auto image = open(file);
  const Guid content = image->content_id();
  must(image->link_parent(link_to({first_id, second_id})));
  CHECK(image->info().parent->accepted_ids == std::vector{first_id, second_id});
  must(image->close());
  CHECK(link_of(*file).accepted_ids == std::vector{first_id, second_id});
  REQUIRE(link_of(*file).paths.size() == 1);
  CHECK(link_of(*file).paths[0].path == ".\\base.vhdx");
  CHECK(open(file, Access::read_only)->content_id() == content);  // no guest data changed
  require_clean(*file);
}

TEST_CASE("one id removes the second, paths replace all paths, other keys stay") {
  const auto file = make_image({.type = ImageType::differencing});
  const auto image = open(file);
  must(image->link_parent(link_to({first_id, second_id})));
  ParentLink link = link_to({second_id});
  link.paths.push_back({"absolute_win32_path", "\\\\?\\d:\\base.vhdx"});
  must(image->link_parent(link));
  must(image->close());
  const ParentLink now = link_of(*file);
  CHECK(now.accepted_ids == std::vector{second_id});
  REQUIRE(now.paths.size() == 1);
  CHECK(now.paths[0].kind == "absolute_win32_path");
}

TEST_CASE("a locator that grows finds another place in the region") {
  const auto file = make_image({.type = ImageType::differencing});
  const auto image = open(file);
  for (u64 length = 100; length < 30000; length *= 3) {
    ParentLink link = link_to({first_id});
    link.paths.push_back({"relative_path", std::string(length, 'x')});
    must(image->link_parent(link));
    CHECK(image->info().parent->paths[0].path.size() == length);
  }
  must(image->close());
  CHECK(link_of(*file).paths[0].path.size() == 24300);
  require_clean(*file);
}

TEST_CASE("link_parent refuses what it cannot store and changes nothing") {
  const auto file = make_image({.type = ImageType::differencing});
  const auto before = file->content();
  const auto image = open(file);
  CHECK(image->link_parent({}).error().code == Errc::invalid_argument);
  CHECK(image->link_parent(link_to({first_id, first_id, first_id})).error().code ==
        Errc::invalid_argument);
  ParentLink odd = link_to({first_id});
  odd.paths.push_back({"W2ru", "base.vhd"});
  CHECK(image->link_parent(odd).error().code == Errc::invalid_argument);
  must(image->close());
  CHECK(file->content() == before);
  const auto dynamic = open(make_image({}));
  CHECK(dynamic->link_parent(link_to({first_id})).error().code == Errc::wrong_disk_kind);
}

TEST_CASE("a write after a link changes the content id as next_content_id said") {
  const auto file = make_image({.type = ImageType::differencing});
  const auto image = open(file);
  must(image->link_parent(link_to({first_id})));
  const Guid next = image->next_content_id();
  CHECK(next != image->content_id());
  must(guest_write(*image, 0, pattern(512, 1)));
  CHECK(image->content_id() == next);
  must(image->close());
  CHECK(open(file, Access::read_only)->content_id() == next);
}

TEST_CASE("a power loss during link_parent leaves the old or the new link") {
  const auto start = make_image({.type = ImageType::differencing});
  const auto old_ids = link_of(*start).accepted_ids;
  bool reached_end = false;
  for (u64 call = 0; !reached_end; ++call) {
    for (u32 seed = 1; seed <= 8; ++seed) {
      INFO("call " << call << ", seed " << seed);
      const auto file = std::make_shared<vdisk::test::CrashFile>(*start);
      const auto image = open(file);
      file->crash_before(call, seed);
      must(image->link_parent(link_to({first_id, second_id})));
      const bool linked = !file->crashed();
      must(image->close());
      reached_end = !file->crashed();
      file->crash_now();
      const auto left = file->remains();
      if (must(format.needs_recovery(*left))) must(format.recover(*left));
      require_clean(*left);
      const auto ids = link_of(*left).accepted_ids;
      REQUIRE((ids == std::vector{first_id, second_id} || (ids == old_ids && !linked)));
    }
  }
}
