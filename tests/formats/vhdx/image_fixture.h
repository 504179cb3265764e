/// Images in memory for the tests of VhdxImage, and a guest that reads and writes through the map.
///
/// The layout is the one of FORMATS 3.1: log at 1 MiB, metadata at 2 MiB, BAT at 3 MiB. BAT
/// entries and bitmaps are poked in as bytes, not with the code under test.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "formats/vhdx/image.h"
#include "formats/vhdx/vhdx.h"
#include "io/memory_file.h"

namespace vdisk::vhdx::test {

inline constexpr u64 bat_offset = 3 * mib;
inline constexpr u64 size_item_offset = 2 * mib + 0x10008;

/// Fails the test when a result holds an error.
template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return *std::move(result);
}
inline void must(Status status) {
  if (!status) FAIL(status.error().message);
}

struct Shape {
  ImageType type = ImageType::dynamic;
  u64 size = 8 * mib;
  u32 block_size = mib;
  u32 sector_size = 512;
};

inline CreateSpec spec_of(const Shape& shape) {
  CreateSpec spec{.type = shape.type, .virtual_size = shape.size};
  spec.block_size = shape.block_size;
  spec.logical_sector_size = shape.sector_size;
  spec.physical_sector_size = 4096;
  if (shape.type == ImageType::differencing) {
    ParentSpec parent;
    parent.format = "vhdx";
    parent.content_id = Guid{{1, 2, 3}};
    parent.relative_path = ".\\base.vhdx";
    parent.geometry = {.virtual_size = shape.size,
                       .block_size = shape.block_size,
                       .logical_sector_size = shape.sector_size,
                       .physical_sector_size = 4096};
    spec.parent = parent;
  }
  return spec;
}

inline std::shared_ptr<MemoryFile> make_image(const Shape& shape) {
  auto file = std::make_shared<MemoryFile>();
  must(format.create(*file, spec_of(shape)));
  return file;
}

inline std::unique_ptr<Image> open(std::shared_ptr<File> file, Access access = Access::read_write,
                                   const ImageOptions& others = {}) {
  ImageOptions options = others;
  options.access = access;
  return must(open_image(std::move(file), options));
}

inline void poke(File& file, u64 offset, u64 value) {
  std::array<std::byte, 8> bytes{};
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    bytes[n] = static_cast<std::byte>(value >> (8 * n) & 0xFF);
  }
  must(file.write_at(offset, bytes));
}
inline u64 peek(const File& file, u64 offset) {
  std::array<std::byte, 8> bytes{};
  must(file.read_at(offset, bytes));
  u64 value = 0;
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    value |= std::to_integer<u64>(bytes[n]) << (8 * n);
  }
  return value;
}
inline u64 bat_entry(const File& file, u64 index) {
  return peek(file, bat_offset + 8 * index);
}

inline std::vector<std::byte> pattern(u64 length, u32 seed) {
  std::vector<std::byte> bytes(length);
  u64 state = seed * 0x9E3779B97F4A7C15 + 1;
  for (u64 n = 0; n < length; n += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    for (u64 k = n; k < std::min(length, n + 8); ++k) {
      bytes[k] = static_cast<std::byte>((state >> (8 * (k - n)) & 0xFF) | 1);
    }
  }
  return bytes;
}

/// What a guest reads; absent ranges come from `parent` (zeros behind its end).
inline std::vector<std::byte> guest_read(const Image& image, u64 offset, u64 length,
                                         std::span<const std::byte> parent = {}) {
  std::vector<std::byte> bytes(length);
  for (u64 done = 0; done < length;) {
    const Extent extent = must(image.extent_at(offset + done, length - done));
    REQUIRE(extent.offset == offset + done);
    REQUIRE(extent.length > 0);
    REQUIRE(extent.length <= length - done);
    const auto out = std::span(bytes).subspan(done, extent.length);
    if (extent.state == State::data) must(image.file().read_at(extent.file_offset, out));
    if (extent.state == State::absent && extent.offset < parent.size()) {
      const auto from = parent.subspan(extent.offset);
      std::ranges::copy(from.first(std::min<u64>(from.size(), out.size())), out.begin());
    }
    done += extent.length;
  }
  return bytes;
}

inline Status guest_write(Image& image, u64 offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto extent = image.reserve(offset, data.size());
    if (!extent) return std::unexpected(extent.error());
    if (auto done = image.file().write_at(extent->file_offset, data.first(extent->length)); !done) {
      return done;
    }
    if (auto done = image.commit(*extent); !done) return done;
    offset += extent->length;
    data = data.subspan(extent->length);
  }
  return {};
}

/// As the engine does it: zeros where the map cannot say so.
inline Status guest_zero(Image& image, u64 offset, u64 length) {
  while (length > 0) {
    const auto dealt_with = image.discard(offset, length, State::zero);
    if (!dealt_with) return std::unexpected(dealt_with.error());
    u64 step = *dealt_with;
    if (step == 0) {
      const u64 block_size = image.geometry().block_size;
      step = std::min(length, block_size - offset % block_size);
      const std::vector<std::byte> zeros(step);
      if (auto done = guest_write(image, offset, zeros); !done) return done;
    }
    offset += step;
    length -= step;
  }
  return {};
}

/// check() of the format finds nothing worse than a note.
inline void require_clean(const File& file) {
  CheckReport report;
  must(format.check(file, report));
  for (const Finding& finding : report.findings) {
    INFO(finding.id << " " << finding.message);
    REQUIRE(finding.severity == Severity::info);
  }
}

}  // namespace vdisk::vhdx::test
