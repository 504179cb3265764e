// Makes inputs for the fuzz targets.
//
//     vdisk_make_seed FORMAT FOLDER        seeds of every subtype, made with the format's own row
//     vdisk_make_seed --encode IMAGE SEED  a seed from an image file, e.g. of another system
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "formats/formats.h"
#include "fuzz/sparse_input.h"

namespace {

using vdisk::u32;
using vdisk::u64;
namespace fs = std::filesystem;

struct Plan {
  std::string name;
  vdisk::ImageType type = vdisk::ImageType::dynamic;
  u64 size = 0;
  u32 block_size = 0;      ///< 0: the format's default
  u32 sector_size = 0;     ///< 0: the format's default
  bool with_data = false;  ///< the first and the third block hold data
  bool closed = true;      ///< false: flushed, then left as a crash would
};

int complain(const std::string& what, const vdisk::Error& error) {
  std::fprintf(stderr, "vdisk_make_seed: %s: %s\n", what.c_str(), error.message.c_str());
  return 1;
}

/// Writes, frees, flushes and grows, so that a seed reaches every write path at once.
std::array<vdisk::fuzz::Operation, vdisk::fuzz::operation_count> all_operations() {
  return {{{1, 0, 7},
           {6, 0, 0},
           {1, 30000, 1},
           {3, 0, 0},
           {6, 0, 0},
           {2, 40000, 255},
           {4, 30000, 0},
           {6, 0, 0},
           {5, 40000, 3},
           {1, 0, 1},
           {7, 16, 0},
           {1, 65535, 255},
           {6, 0, 0},
           {1, 20000, 9}}};
}

bool save(const fs::path& path, const vdisk::fuzz::SparseInput& input) {
  const auto bytes = vdisk::fuzz::encode(input);
  if (!bytes) return complain(path, bytes.error()) == 0;
  std::ofstream out(path, std::ios::binary);
  for (const std::byte byte : *bytes) out.put(static_cast<char>(byte));
  return out.good();
}

vdisk::CreateSpec spec_of(const vdisk::Format& format, const Plan& plan) {
  vdisk::CreateSpec spec;
  spec.type = plan.type;
  spec.virtual_size = plan.size;
  if (plan.block_size != 0) spec.block_size = plan.block_size;
  if (plan.sector_size != 0) spec.logical_sector_size = plan.sector_size;
  spec.id.emplace().bytes.fill(7);
  if (plan.type == vdisk::ImageType::differencing) {
    vdisk::ParentSpec parent;
    parent.format = format.name;
    parent.content_id.bytes.fill(9);
    parent.disk_id.bytes.fill(8);
    parent.geometry.virtual_size = plan.size;
    parent.file_name = "base";
    parent.relative_path = ".\\base";
    spec.parent = parent;
  }
  return spec;
}

vdisk::Status put(vdisk::Image& image, u64 offset) {
  const std::vector<std::byte> payload(image.geometry().logical_sector_size, std::byte{0xda});
  auto place = image.reserve(offset, payload.size());
  if (!place) return std::unexpected(std::move(place).error());
  auto status = image.file().write_at(place->file_offset, payload);
  return status ? image.commit(*place) : status;
}

vdisk::Status fill(vdisk::Image& image, const Plan& plan) {
  const u64 stride = image.geometry().block_size;
  for (const u64 offset : {u64{0}, 2 * stride}) {
    auto status = offset < plan.size ? put(image, offset) : vdisk::Status();
    if (!status) return status;
  }
  auto status = image.flush();
  return status && plan.closed ? image.close() : status;
}

int make(const vdisk::Format& format, const Plan& plan, const fs::path& folder) {
  vdisk::CreateSpec spec = spec_of(format, plan);
  if (auto status = format.complete(spec); !status) return complain(plan.name, status.error());
  vdisk::fuzz::SparseInput seed{true, all_operations(), std::make_shared<vdisk::MemoryFile>()};
  const auto file = std::make_shared<vdisk::MemoryFile>();
  if (auto status = format.create(*file, spec); !status) return complain(plan.name, status.error());
  seed.file = file->clone();
  if (plan.with_data) {
    vdisk::ImageOptions options;
    options.access = vdisk::Access::read_write;
    auto image = format.open(file, options);
    if (!image) return complain(plan.name, image.error());
    if (auto status = fill(**image, plan); !status) return complain(plan.name, status.error());
    seed.file = file->clone();
  }
  return save(folder / plan.name, seed) ? 0 : 1;
}

std::vector<Plan> plans(std::string_view format) {
  using enum vdisk::ImageType;
  using vdisk::kib;
  using vdisk::mib;
  if (format == "vhd") {
    return {{"fixed", fixed, 64 * kib},
            {"dynamic_empty", dynamic, 2 * mib, 512 * kib},
            {"dynamic_data", dynamic, 2 * mib + 512, 512 * kib, 0, true},
            {"dynamic_unclosed", dynamic, 6 * mib, 2 * mib, 0, true, false},
            {"differencing_empty", differencing, 2 * mib, 512 * kib},
            {"differencing_data", differencing, 2 * mib, 512 * kib, 0, true}};
  }
  return {{"fixed", fixed, mib, mib},
          {"dynamic_empty", dynamic, 4 * mib, mib},
          {"dynamic_data", dynamic, 4 * mib + 512, mib, 0, true},
          {"dynamic_4096", dynamic, 4 * mib, mib, 4096, true},
          {"dynamic_dirty_log", dynamic, 4 * mib, mib, 0, true, false},
          {"differencing_empty", differencing, 4 * mib, mib},
          {"differencing_data", differencing, 4 * mib, mib, 0, true},
          {"differencing_dirty_log", differencing, 4 * mib, mib, 0, true, false}};
}

int make_all(const std::string& name, const fs::path& folder) {
  const vdisk::Format* format = vdisk::find_format(name);
  if (format == nullptr) {
    std::fprintf(stderr, "vdisk_make_seed: no format %s\n", name.c_str());
    return 3;
  }
  fs::create_directories(folder);
  int result = 0;
  for (const Plan& plan : plans(name)) result |= make(*format, plan, folder);
  return result;
}

int encode_file(const fs::path& image, const fs::path& seed) {
  std::ifstream in(image, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  const auto file = vdisk::MemoryFile::with_content(std::as_bytes(std::span(bytes)));
  return save(seed, {true, all_operations(), file}) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "--encode") {
    return encode_file(arguments[1], arguments[2]);
  }
  if (arguments.size() == 2) return make_all(arguments[0], arguments[1]);
  std::fprintf(stderr, "usage: vdisk_make_seed FORMAT FOLDER | --encode IMAGE SEED\n");
  return 3;
}
