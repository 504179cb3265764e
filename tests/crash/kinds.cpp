#include "crash/kinds.h"

#include <stdexcept>

#include "support/vhd_builder.h"

namespace vdisk::test {

namespace {

constexpr u32 vhd_block = 16 * kib;
constexpr u32 vhdx_block = mib;

VhdBuilder vhd(u32 disk_type, u64 size) {
  VhdBuilder builder;
  builder.footer.disk_type = disk_type;
  builder.footer.current_size = size;
  builder.footer.original_size = size;
  builder.block_size = vhd_block;
  builder.align_data = true;
  return builder;
}

Target target(std::optional<ImageType> type, std::optional<u32> block) {
  Target result;
  result.type = type;
  result.block_size = block;
  return result;
}

/// What reading a child brings to light where it says nothing.
void fill_parent(Stage& stage, const std::string& path, u64 blocks, u64 block) {
  stage.expect_view(path);
  constexpr u64 written = 8 * model_sector;
  set_up(stage, path,
         {{Step::Kind::write, 0, written},
          {Step::Kind::write, 2 * block + block / 2, written},
          {Step::Kind::write, (blocks - 1) * block, written},
          {Step::Kind::close}});
}

std::string make_vhd_child(Stage& stage, u64 blocks, u64 size) {
  const std::string parent = "/disks/base.vhd";
  const VhdBuilder base = vhd(3, size);
  stage.put(parent, base.build());
  fill_parent(stage, parent, blocks, vhd_block);
  VhdBuilder child = vhd(4, size);
  child.footer.unique_id[0] = 77;
  child.parent_unique_id = base.footer.unique_id;
  child.parent_name = utf16be("base.vhd");
  child.locators = {{0x57327275, utf16le(".\\base.vhd")}};
  stage.put("/disks/disk.vhd", child.build());
  return parent;
}

std::string make_vhdx_child(Stage& stage, u64 blocks, u64 size) {
  const std::string parent = stage.create("base.vhdx", size, target({}, vhdx_block));
  fill_parent(stage, parent, blocks, vhdx_block);
  stage.snapshot(parent, "disk.vhdx", target({}, vhdx_block));
  return parent;
}

}  // namespace

std::string_view name(Kind kind) noexcept {
  switch (kind) {
    case Kind::vhd_fixed: return "VHD fixed";
    case Kind::vhd_dynamic: return "VHD dynamic";
    case Kind::vhd_child: return "VHD child";
    case Kind::vhdx_fixed: return "VHDX fixed";
    case Kind::vhdx_dynamic: return "VHDX dynamic";
    case Kind::vhdx_child: break;
  }
  return "VHDX child";
}

bool is_child(Kind kind) noexcept {
  return kind == Kind::vhd_child || kind == Kind::vhdx_child;
}

bool is_vhdx(Kind kind) noexcept {
  return kind == Kind::vhdx_fixed || kind == Kind::vhdx_dynamic || kind == Kind::vhdx_child;
}

u64 block_size(Kind kind) noexcept {
  return is_vhdx(kind) ? vhdx_block : vhd_block;
}

std::string make_image(Stage& stage, Kind kind, u64 blocks, u64 extra) {
  const u64 size = blocks * block_size(kind) + extra;
  std::string parent;
  std::string path = is_vhdx(kind) ? "/disks/disk.vhdx" : "/disks/disk.vhd";
  switch (kind) {
    case Kind::vhd_fixed: stage.create("disk.vhd", size, target(ImageType::fixed, {})); break;
    case Kind::vhd_dynamic: stage.put(path, vhd(3, size).build()); break;
    case Kind::vhd_child: parent = make_vhd_child(stage, blocks, size); break;
    case Kind::vhdx_fixed:
      stage.create("disk.vhdx", size, target(ImageType::fixed, vhdx_block));
      break;
    case Kind::vhdx_dynamic: stage.create("disk.vhdx", size, target({}, vhdx_block)); break;
    case Kind::vhdx_child: parent = make_vhdx_child(stage, blocks, size); break;
  }
  stage.expect_view(path, parent);
  if (!parent.empty()) {
    stage.expectation.views.erase(parent);
    stage.expect_untouched(parent);
  }
  return path;
}

void set_up(Stage& stage, const std::string& path, const std::vector<Step>& steps) {
  Guest guest(stage, path);
  for (const Step& step : steps) {
    if (const auto done = guest.perform(step); !done) {
      throw std::runtime_error(describe(step) + ": " + done.error().message);
    }
  }
}

}  // namespace vdisk::test
