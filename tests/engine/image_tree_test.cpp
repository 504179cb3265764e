/// image_tree, rebase and relink: whose parent is where, and links that follow a move.
#include <algorithm>

#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"
#include "vdisk/chains.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

namespace fs = std::filesystem;
constexpr u64 disk_size = 4 * mib;
const std::vector<std::string> extensions = {"vhd", "vhdx"};

struct Folder {
  explicit Folder(std::string its_extension) : extension(std::move(its_extension)) {
    base = place.create("base." + extension, disk_size);
    write_and_close(place, base, 0, filled(mib, 1));
    child = place.snapshot(base, "child." + extension);
    write_and_close(place, child, mib, filled(512, 2));
  }

  [[nodiscard]] fs::path path(const std::string& name) const {
    return "/disks/" + name + "." + extension;
  }
  void copy(const fs::path& from, const fs::path& to) const {
    const auto bytes = place.bytes(from).all();
    const auto file = place.files->create_beside(to).value();
    must(file->write_at(0, bytes));
    must(place.files->publish(*file, to, true));
  }
  void move(const fs::path& from, const fs::path& to) const {
    copy(from, to);
    must(place.files->remove(from));
  }
  [[nodiscard]] ImageTree tree(const OpenOptions& open) const {
    Progress progress;
    auto result = image_tree({.directory = "/disks", .open = open}, progress);
    REQUIRE_MESSAGE(result, result.error().message);
    return *std::move(result);
  }
  [[nodiscard]] ImageTree tree() const { return tree(place.options()); }
  [[nodiscard]] Result<Rebased> link(RebaseOptions options) const {
    Progress progress;
    options.open = place.options(Access::read_write);
    return rebase(options, progress);
  }
  [[nodiscard]] std::vector<std::byte> content(const fs::path& image) const {
    return read(place.open(image), 0, disk_size);
  }

  std::string extension;
  MemoryPlace place;
  fs::path base, child;
};

const TreeImage& image_of(const ImageTree& tree, const fs::path& path) {
  const auto found = std::ranges::find(tree.images, path, &TreeImage::path);
  REQUIRE(found != tree.images.end());
  return *found;
}

ParentState state_of(const ImageTree& tree, const fs::path& path) {
  return image_of(tree, path).parent_state;
}

}  // namespace

TEST_CASE("tree: parents found, moved, ambiguous, different and missing") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto grandchild = folder.place.snapshot(folder.child, "grandchild." + extension);
    auto tree = folder.tree();
    CHECK(tree.images.size() == 3);
    CHECK(state_of(tree, folder.base) == ParentState::none);
    CHECK(state_of(tree, folder.child) == ParentState::found);
    CHECK(tree.images[*image_of(tree, grandchild).parent].path == folder.child);

    const auto moved = folder.path("archive/base");
    folder.move(folder.base, moved);
    tree = folder.tree();
    CHECK(state_of(tree, folder.child) == ParentState::moved);
    CHECK(tree.images[*image_of(tree, folder.child).parent].path == moved);
    CHECK(state_of(tree, grandchild) == ParentState::found);

    folder.copy(moved, folder.path("archive/copy"));
    tree = folder.tree();
    CHECK(state_of(tree, folder.child) == ParentState::ambiguous);
    CHECK(image_of(tree, folder.child).candidates ==
          std::vector<fs::path>{moved, folder.path("archive/copy")});

    must(folder.place.files->remove(moved));
    must(folder.place.files->remove(folder.path("archive/copy")));
    tree = folder.tree();
    CHECK(state_of(tree, folder.child) == ParentState::missing);
    CHECK(image_of(tree, folder.child).tried.front() == folder.base);

    folder.place.create("base." + extension, disk_size);
    tree = folder.tree();
    CHECK(state_of(tree, folder.child) == ParentState::different);
    CHECK(image_of(tree, folder.child).candidates == std::vector<fs::path>{folder.base});
  }
}

TEST_CASE("tree: one directory alone, and parents in a root") {
  for (const std::string& extension : extensions) {
    const Folder folder(extension);
    const fs::path moved = "/elsewhere/base." + extension;
    folder.move(folder.base, moved);
    CHECK(state_of(folder.tree(), folder.child) == ParentState::missing);
    auto open = folder.place.options();
    open.parent_roots.push_back("/elsewhere");
    // In a root a parent is found under its own name: that is what opening does.
    CHECK(state_of(folder.tree(open), folder.child) == ParentState::found);
    open.parent_roots.clear();
    open.parent_map.emplace_back(".\\", "/elsewhere");
    const auto tree = folder.tree(open);
    CHECK(state_of(tree, folder.child) == ParentState::found);
    CHECK(tree.images[*image_of(tree, folder.child).parent].path == moved);
  }
  const Folder folder("vhdx");
  const auto inner = folder.place.create("inner/x.vhdx", disk_size);
  Progress progress;
  const auto flat = image_tree(
      {.directory = "/disks", .recursive = false, .open = folder.place.options()}, progress);
  REQUIRE(flat);
  CHECK(flat->images.size() == 2);
  CHECK(folder.tree().images.size() == 3);
  CHECK(image_of(folder.tree(), inner).parent_state == ParentState::none);
}

TEST_CASE("tree: damaged images are named, other files passed over, cycles marked") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto note = folder.place.files->create_beside("/disks/note.txt").value();
    must(note->write_at(0, filled(2000, 'x')));
    must(folder.place.files->publish(*note, "/disks/note.txt", false));
    const auto broken = folder.path("broken");
    folder.copy(folder.base, broken);
    {
      const auto file = folder.place.files->open(broken, {.access = Access::read_write}).value();
      must(file->resize(700));
    }
    auto tree = folder.tree();
    CHECK(tree.images.size() == 3);
    CHECK(image_of(tree, broken).fault);

    // A child that names itself: its link says what its own content id is.
    const auto self = folder.path("self");
    folder.copy(folder.child, self);
    const auto own = image_of(folder.tree(), self).content_id;
    auto disk = folder.place.open(self, Access::read_write);
    REQUIRE(disk.close());
    (void)own;
  }
}

TEST_CASE("rebase: the same identity needs no proof, and is stored as a relative path") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto before = folder.content(folder.child);
    const auto grandchild = folder.place.snapshot(folder.child, "grandchild." + extension);
    const auto moved = folder.path("archive/base");
    folder.move(folder.base, moved);
    CHECK(Disk::open(folder.child, folder.place.options()).error().code == Errc::parent_not_found);
    const auto bytes = folder.place.bytes(folder.child).all();
    auto planned = folder.link({.child = folder.child, .parent = moved, .dry_run = true});
    REQUIRE_MESSAGE(planned, planned.error().message);
    CHECK(folder.place.bytes(folder.child).all() == bytes);
    const auto rebased = folder.link({.child = folder.child, .parent = moved});
    REQUIRE_MESSAGE(rebased, rebased.error().message);
    CHECK(rebased->relative_path == ".\\archive\\base." + extension);
    CHECK(!rebased->identity_changed);
    CHECK(folder.content(folder.child) == before);
    CHECK(folder.content(grandchild) == before);  // its parent's identity has not changed
    CHECK(folder.place.check(folder.child).clean());
  }
}

TEST_CASE("rebase: another identity is refused, unless the child reads the same on it") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto before = folder.content(folder.child);
    Target same_shape;
    const auto twin = folder.place.create("twin." + extension, disk_size, same_shape);
    write_and_close(folder.place, twin, 0, filled(mib, 1));
    write_and_close(folder.place, twin, mib, filled(512, 9));  // below what the child holds
    const auto refused = folder.link({.child = folder.child, .parent = twin});
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::parent_mismatch);
    const auto rebased =
        folder.link({.child = folder.child, .parent = twin, .force_identity = true});
    REQUIRE_MESSAGE(rebased, rebased.error().message);
    CHECK(rebased->identity_changed);
    CHECK(folder.content(folder.child) == before);
    CHECK(folder.place.open(folder.child).layer(1)->path == twin);

    const auto other = folder.place.create("other." + extension, disk_size);
    write_and_close(folder.place, other, 0, filled(mib + 1024, 1));
    const auto differs =
        folder.link({.child = folder.child, .parent = other, .force_identity = true});
    REQUIRE(!differs);
    CHECK(differs.error().code == Errc::parent_mismatch);
    CHECK(differs.error().message.find("0x100200") != std::string::npos);
    CHECK(folder.place.open(folder.child).layer(1)->path == twin);
  }
}

TEST_CASE("rebase: where the parent is gone, a digest is the proof") {
  for (const std::string& extension : extensions) {
    for (const auto algorithm : {DigestAlgorithm::xxh3_128, DigestAlgorithm::sha256}) {
      CAPTURE(extension);
      const Folder folder(extension);
      const auto before = folder.content(folder.child);
      Progress progress;
      const auto digest = hash(
          {.path = folder.child, .algorithm = algorithm, .open = folder.place.options()}, progress);
      REQUIRE(digest);
      const auto twin = folder.place.create("twin." + extension, disk_size);
      write_and_close(folder.place, twin, 0, filled(mib, 1));
      must(folder.place.files->remove(folder.base));
      RebaseOptions options{.child = folder.child, .parent = twin, .force_identity = true};
      CHECK(folder.link(options).error().code == Errc::parent_mismatch);
      options.digest = std::string(digest->hex.size(), '0');
      CHECK(folder.link(options).error().code == Errc::parent_mismatch);
      options.digest = digest->hex;
      const auto rebased = folder.link(options);
      REQUIRE_MESSAGE(rebased, rebased.error().message);
      CHECK(folder.content(folder.child) == before);
    }
  }
}

TEST_CASE("rebase: what cannot be a parent is refused, and nothing changes") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto grandchild = folder.place.snapshot(folder.child, "grandchild." + extension);
    const auto raw = folder.place.create("disk.raw", disk_size);
    const auto before = folder.place.bytes(folder.child).all();
    RebaseOptions options{.child = folder.child, .parent = grandchild, .force_identity = true};
    CHECK(folder.link(options).error().code == Errc::parent_cycle);
    options.parent = folder.child;
    CHECK(folder.link(options).error().code == Errc::parent_cycle);
    options.parent = raw;
    CHECK(folder.link(options).error().code == Errc::parent_mismatch);
    options.parent = "/disks/none." + extension;
    CHECK(folder.link(options).error().code == Errc::file_not_found);
    if (extension == "vhd") {
      options.parent = folder.place.create("large.vhd", 2 * disk_size);
      CHECK(folder.link(options).error().code == Errc::parent_size_mismatch);
    }
    CHECK(folder.place.bytes(folder.child).all() == before);
    options = {.child = folder.base, .parent = folder.child};
    CHECK(folder.link(options).error().code == Errc::wrong_disk_kind);
  }
}

TEST_CASE("relink: what has moved is found, what is doubtful is left and named") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto grandchild = folder.place.snapshot(folder.child, "grandchild." + extension);
    write_and_close(folder.place, grandchild, 2 * mib, filled(512, 3));
    const auto before = folder.content(grandchild);
    const auto lost = folder.place.snapshot(folder.place.create("gone." + extension, disk_size),
                                            "lost." + extension);
    must(folder.place.files->remove("/disks/gone." + extension));
    folder.move(folder.base, folder.path("a/renamed"));
    folder.move(folder.child, folder.path("also-renamed"));
    Progress progress;
    RelinkOptions options{
        .directory = "/disks", .dry_run = true, .open = folder.place.options(Access::read_write)};
    auto planned = relink(options, progress);
    REQUIRE_MESSAGE(planned, planned.error().message);
    CHECK(planned->links.size() == 2);
    CHECK(state_of(folder.tree(), grandchild) == ParentState::moved);
    options.dry_run = false;
    const auto done = relink(options, progress);
    REQUIRE_MESSAGE(done, done.error().message);
    CHECK(done->links.size() == 2);
    REQUIRE(done->unresolved.size() == 1);
    CHECK(done->unresolved.front().path == lost);
    CHECK(folder.content(grandchild) == before);
    const auto again = relink(options, progress);
    REQUIRE(again);
    CHECK(again->links.empty());
  }
}

TEST_CASE("tree and relink: a parent outside the child's directory is no moved one") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto child = folder.path("a/child");
    const auto parent = folder.path("b/parent");
    folder.move(folder.child, child);
    folder.move(folder.base, parent);
    CHECK(state_of(folder.tree(), child) == ParentState::moved);
    const RelinkOptions options{.directory = "/disks",
                                .open = folder.place.options(Access::read_write)};
    Progress progress;
    const auto done = relink(options, progress);
    REQUIRE_MESSAGE(done, done.error().message);
    CHECK(done->links.size() == 1);
    const auto tree = folder.tree();
    CHECK(state_of(tree, child) == ParentState::outside);
    CHECK(tree.images[*image_of(tree, child).parent].path == parent);

    const auto bytes = folder.place.bytes(child).all();
    const auto again = relink(options, progress);
    REQUIRE_MESSAGE(again, again.error().message);
    CHECK(again->links.empty());
    CHECK(again->unresolved.empty());
    CHECK(folder.place.bytes(child).all() == bytes);

    auto open = folder.place.options();
    open.parent_roots = {"/disks/b"};
    CHECK(state_of(folder.tree(open), child) == ParentState::found);
    // A copy elsewhere makes it neither ambiguous nor moved.
    folder.copy(parent, folder.path("c/copy"));
    CHECK(state_of(folder.tree(), child) == ParentState::outside);
    folder.move(parent, folder.path("b/renamed"));
    must(folder.place.files->remove(folder.path("c/copy")));
    CHECK(state_of(folder.tree(), child) == ParentState::moved);
  }
}

TEST_CASE("relink: a child that cannot be written does not keep the others from being linked") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto other = folder.place.snapshot(folder.base, "other." + extension);
    folder.move(folder.base, folder.path("renamed"));
    const auto busy = folder.place.files->open(
        folder.child, {.access = Access::read_write, .lock = Lock::exclusive});
    REQUIRE(busy);
    Progress progress;
    const auto done =
        relink({.directory = "/disks", .open = folder.place.options(Access::read_write)}, progress);
    REQUIRE_MESSAGE(done, done.error().message);
    REQUIRE(done->links.size() == 1);
    CHECK(done->links.front().child == other);
    REQUIRE(done->unresolved.size() == 1);
    CHECK(done->unresolved.front().path == folder.child);
    REQUIRE(done->unresolved.front().fault);
    CHECK(done->unresolved.front().fault->code == Errc::busy);
    CHECK(folder.place.open(other).depth() == 2);
  }
}

TEST_CASE(
    "P13: rebase and relink, canceled at every step, leave a link that works or the old one") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const Folder folder(extension);
    const auto before = folder.content(folder.child);
    const auto twin = folder.place.create("twin." + extension, disk_size);
    write_and_close(folder.place, twin, 0, filled(mib, 1));
    RebaseOptions options{.child = folder.child, .parent = twin, .force_identity = true};
    options.open = folder.place.options(Access::read_write);
    const TreeOptions look{.directory = "/disks", .open = folder.place.options()};
    CHECK(test::cancel_at_every_step([&](Progress& progress) { return image_tree(look, progress); },
                                     [] {}) >= 3);
    const u64 steps = test::cancel_at_every_step(
        [&](Progress& progress) { return rebase(options, progress); },
        [&] { CHECK(folder.place.open(folder.child).layer(1)->path == folder.base); });
    CHECK(steps >= 2);
    CHECK(folder.content(folder.child) == before);
    folder.move(twin, folder.path("moved"));
    const RelinkOptions all{.directory = "/disks", .open = options.open};
    test::cancel_at_every_step([&](Progress& progress) { return relink(all, progress); }, [] {});
    CHECK(folder.content(folder.child) == before);
  }
}
