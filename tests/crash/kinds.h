/// The kinds of images that scenarios start from, small enough for thousands of states.
#pragma once

#include "crash/stage.h"

namespace vdisk::test {

enum class Kind { vhd_fixed, vhd_dynamic, vhd_child, vhdx_fixed, vhdx_dynamic, vhdx_child };

[[nodiscard]] std::string_view name(Kind kind) noexcept;
[[nodiscard]] bool is_child(Kind kind) noexcept;
[[nodiscard]] bool is_vhdx(Kind kind) noexcept;

/// Size of a block: 16 KiB in VHD images, which no tool makes but all read; 1 MiB in VHDX.
[[nodiscard]] u64 block_size(Kind kind) noexcept;

/// Makes an image of so many blocks (and `extra` bytes) and, for a child, a parent that no byte of
/// may change: values 1 to 3 at the start of its first, third and last block. The path.
std::string make_image(Stage& stage, Kind kind, u64 blocks, u64 extra = 0);
/// Lets a guest do something before the scenario begins.
void set_up(Stage& stage, const std::string& path, const std::vector<Step>& steps);

}  // namespace vdisk::test
