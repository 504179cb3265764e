/// What the engine does with an image: payload I/O over its map. Shared by the tests of VHD.
#pragma once

#include <algorithm>
#include <memory>

#include <doctest/doctest.h>

#include "formats/vhd/vhd.h"
#include "support/vhd_builder.h"
#include "vdisk/image.h"

namespace vdisk::test {

inline Result<std::unique_ptr<Image>> open_vhd(std::shared_ptr<File> file,
                                               Access access = Access::read_only) {
  ImageOptions options;
  options.access = access;
  return vhd::format.open(std::move(file), options);
}

inline std::unique_ptr<Image> open_sound(std::shared_ptr<File> file,
                                         Access access = Access::read_only) {
  auto image = open_vhd(std::move(file), access);
  if (!image) FAIL(image.error().message);
  return *std::move(image);
}

/// Reads through the map; what is absent comes from `base`, or is zero.
inline Result<Bytes> read_image(const Image& image, u64 offset, u64 length,
                                const Bytes& base = {}) {
  Bytes bytes(length);
  for (u64 done = 0; done < length;) {
    auto extent = image.extent_at(offset + done, length - done);
    if (!extent) return std::unexpected(extent.error());
    REQUIRE(extent->offset == offset + done);
    REQUIRE(extent->length > 0);
    REQUIRE(extent->length <= length - done);
    const auto part = std::span(bytes).subspan(done, extent->length);
    if (extent->state == State::data) {
      if (auto read = image.file().read_at(extent->file_offset, part); !read) {
        return std::unexpected(read.error());
      }
    } else if (extent->state == State::absent) {
      for (u64 n = 0; n < part.size() && extent->offset + n < base.size(); ++n) {
        part[n] = base[extent->offset + n];
      }
    }
    done += extent->length;
  }
  return bytes;
}

inline Bytes read_all(const Image& image, const Bytes& base = {}) {
  auto bytes = read_image(image, 0, image.geometry().virtual_size, base);
  if (!bytes) FAIL(bytes.error().message);
  return *bytes;
}

inline Status write_image(Image& image, u64 offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    auto extent = image.reserve(offset, data.size());
    if (!extent) return std::unexpected(extent.error());
    REQUIRE(extent->offset == offset);
    REQUIRE(extent->state == State::data);
    const auto part = data.first(std::min<u64>(extent->length, data.size()));
    if (auto written = image.file().write_at(extent->file_offset, part); !written) return written;
    if (auto committed = image.commit(*extent); !committed) return committed;
    offset += part.size();
    data = data.subspan(part.size());
  }
  return {};
}

/// Open for reading fails with this code.
inline void check_refused(const Bytes& bytes, Errc code) {
  const auto image = open_vhd(memory_file(bytes));
  REQUIRE_FALSE(image.has_value());
  CHECK_MESSAGE(name(image.error().code) == name(code), image.error().message);
  CHECK_FALSE(image.error().message.empty());
}

inline bool has_warning(const Image& image, std::string_view rule) {
  const auto warnings = image.info().warnings;
  return std::ranges::any_of(warnings, [&](const Warning& w) { return w.id == rule; });
}

inline bool has_finding(const CheckReport& report, std::string_view id) {
  return std::ranges::any_of(report.findings, [&](const Finding& f) { return f.id == id; });
}

inline CheckReport check_bytes(const Bytes& bytes) {
  CheckReport report;
  const auto file = memory_file(bytes);
  REQUIRE(vhd::format.check(*file, report).has_value());
  CHECK(file->content() == bytes);
  return report;
}

/// 5 blocks of 512 KiB, the last one partial; blocks 1 and 4 are stored.
inline VhdBuilder small_dynamic() {
  VhdBuilder builder;
  builder.block_size = 512 * kib;
  builder.footer.current_size = 4 * 512 * kib + 128 * kib;
  builder.blocks[4].data = pattern(4 * 512 * kib, 128 * kib, 1);
  builder.blocks[1].data = pattern(512 * kib, 512 * kib, 1);
  return builder;
}
inline Bytes content_of_small_dynamic() {
  Bytes content(small_dynamic().footer.current_size);
  const Bytes one = pattern(512 * kib, 512 * kib, 1);
  const Bytes four = pattern(4 * 512 * kib, 128 * kib, 1);
  std::ranges::copy(one, content.begin() + 512 * kib);
  std::ranges::copy(four, content.begin() + 4 * 512 * kib);
  return content;
}

}  // namespace vdisk::test
