// Fuzz target: families of images that name each other in any way, opened on a file system that
// watches which places are asked for.
//
// Input: bytes that make up to eight VHD images (make_image below), then the options of the
// opening.
#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/parent_path.h"
#include "fuzz/byte_reader.h"
#include "fuzz/promise.h"
#include "support/memory_filesystem.h"
#include "support/vhd_builder.h"
#include "vdisk/disk.h"

namespace vdisk::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_images = 8;
constexpr std::size_t most_layers = 256;
const fs::path home = "/images/disks";

std::string name_of(std::size_t index) {
  return std::string(1, static_cast<char>('a' + index)) + ".vhd";
}

/// Below `root`, told by the words of the path alone.
bool stays_inside(const fs::path& relative) {
  if (relative.is_absolute() || relative.empty()) return false;
  const fs::path normal = relative.lexically_normal();
  return std::ranges::find(normal, fs::path("..")) == normal.end();
}

/// Everything goes to a file system in memory; what leaves the allowed places is a broken promise.
class WatchingFileSystem final : public test::MemoryFileSystem {
 public:
  void allow(const fs::path& root) { allowed_.insert(root.lexically_normal()); }

  Result<std::shared_ptr<File>> open_beneath(const fs::path& root, const fs::path& relative,
                                             const FileOptions& options) override {
    require(allowed_.contains(root.lexically_normal()),
            "a parent below a root that nobody gave: " + root.string());
    require(stays_inside(relative), "a parent that leaves its root: " + relative.string());
    require(options.access == Access::read_only, "a parent opened for writing");
    ++opened_;
    require(opened_ <= most_layers * 64, "parents are opened without end");
    return MemoryFileSystem::open_beneath(root, relative, options);
  }

 private:
  std::set<fs::path> allowed_;
  std::size_t opened_ = 0;
};

std::string read_text(ByteReader& reader) {
  const auto bytes = reader.bytes(reader.byte() % 64);
  std::string text;
  for (const std::byte byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

/// Characters as they come, two bytes each: paths of any kind, and bad UTF-16 too.
test::Bytes read_name(ByteReader& reader, bool big_endian) {
  const u8 kind = reader.byte();
  if (kind < 0x60) {  // a plain name, so that chains do come about
    const std::string name = name_of(kind % most_images);
    return big_endian ? test::utf16be(name) : test::utf16le(".\\" + name);
  }
  if (kind < 0x80) {
    const auto bytes = reader.bytes(reader.byte());
    return {bytes.begin(), bytes.end()};
  }
  const std::string text = read_text(reader);
  return big_endian ? test::utf16be(text) : test::utf16le(text);
}

std::array<u8, 16> id_of(std::size_t index) {
  std::array<u8, 16> id{};
  id.fill(static_cast<u8>(index + 1));
  return id;
}

test::Bytes make_image(ByteReader& reader, std::size_t index) {
  constexpr std::array<u32, 5> codes{0x57327275, 0x57326B75, 0x4D616358, 0x57693272, 0x5769326B};
  const u8 shape = reader.byte();
  test::VhdBuilder builder;
  builder.block_size = 64 * kib;
  builder.footer.current_size = (u64{1} + shape / 16 % 4) * 64 * kib;
  builder.footer.unique_id = id_of((shape & 8) != 0 ? index : index % 2);
  builder.footer.disk_type = (shape & 3) == 0 ? 3 : 4;
  if (builder.footer.disk_type == 3) return builder.build();
  builder.parent_unique_id = id_of(reader.byte() % most_images);
  for (u8 count = reader.byte() % 4; count > 0; --count) {
    const u32 code = codes[reader.byte() % codes.size()];
    builder.locators.push_back({code, read_name(reader, false)});
  }
  builder.parent_name = read_name(reader, true);
  builder.parent_name.resize(std::min<std::size_t>(builder.parent_name.size(), 512));
  return builder.build();
}

void store(FileSystem& files, const fs::path& path, const test::Bytes& bytes) {
  const auto file = files.create_beside(path);
  require_success(file, "a file in memory");
  (void)(*file)->write_at(0, bytes);
  (void)files.publish(**file, path, true);
}

OpenOptions read_options(ByteReader& reader, const std::shared_ptr<WatchingFileSystem>& files) {
  OpenOptions options;
  options.file_system = files;
  const u8 choice = reader.byte();
  options.parents = choice % 8 == 0 ? ParentPolicy::none : ParentPolicy::beside;
  if ((choice & 16) != 0) options.parent_roots.emplace_back("/store");
  if ((choice & 32) != 0) options.parent_map.emplace_back(read_text(reader), "/map");
  if ((choice & 64) != 0) options.parent = home / name_of(reader.byte() % most_images);
  files->allow(home);
  for (const fs::path& root : options.parent_roots) files->allow(root);
  for (const auto& [from, to] : options.parent_map) files->allow(to);
  return options;
}

void look_at(const Disk& disk) {
  require(disk.depth() >= 1 && disk.depth() <= most_images, "more layers than there are files");
  std::array<std::byte, 512> sector{};
  (void)disk.read(0, sector);
  for (std::size_t index = 0; index < disk.depth(); ++index) (void)disk.layer(index);
}

/// The words of a path alone, without files.
void propose(ByteReader& reader, const OpenOptions& options) {
  ParentLink link;
  constexpr std::array<const char*, 8> kinds{
      "W2ru",        "W2ku",          "MacX",        "Wi2r",
      "parent_name", "relative_path", "volume_path", "absolute_win32_path"};
  for (const char* kind : kinds) link.paths.push_back({kind, read_text(reader), true});
  const auto candidates = parent_candidates(link, home, options);
  for (const ParentCandidate& place : candidates.places) {
    const auto same = [&](const auto& pair) { return pair.second == place.root; };
    const bool known =
        place.root == home ||
        std::ranges::find(options.parent_roots, place.root) != options.parent_roots.end() ||
        std::ranges::any_of(options.parent_map, same);
    require(known, "a candidate below another root: " + place.root.string());
    require(stays_inside(place.relative), "a candidate outside: " + place.relative.string());
  }
}

void run(std::span<const std::byte> input) {
  ByteReader reader(input);
  const auto files = std::make_shared<WatchingFileSystem>();
  const OpenOptions options = read_options(reader, files);
  const std::size_t count = 1 + reader.byte() % most_images;
  for (std::size_t index = 0; index < count; ++index) {
    const u8 place = reader.byte();
    const fs::path folder = place < 0xC0 ? home : place < 0xE0 ? home / "old" : "/store";
    store(*files, folder / name_of(index), make_image(reader, index));
  }
  const auto disk = Disk::open(home / name_of(0), options);
  if (disk) look_at(*disk);
  propose(reader, options);
}

}  // namespace
}  // namespace vdisk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  vdisk::fuzz::run(std::as_bytes(std::span(data, size)));
  return 0;
}
