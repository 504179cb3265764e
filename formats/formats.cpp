#include "formats/formats.h"

#include <algorithm>
#include <array>
#include <string>

#include <fmt/format.h>

#include "base/try.h"
#include "formats/letter_case.h"
#include "formats/raw/raw.h"
#include "formats/vhd/vhd.h"
#include "formats/vhdx/vhdx.h"

namespace vdisk {

namespace {

constexpr std::array<const Format*, 3> formats{&vhdx::format, &vhd::format, &raw::format};

constexpr u64 head_size = 512;
constexpr u64 tail_size = 1024;

std::unexpected<Error> ambiguous(const Format& a, const Format& b) {
  return fail(Errc::ambiguous_format,
              fmt::format("the content is both {} and {}; name the format", a.name, b.name));
}

}  // namespace

std::span<const Format* const> all_formats() {
  return formats;
}

const Format* find_format(std::string_view name) {
  const auto found = std::find_if(formats.begin(), formats.end(),
                                  [name](const Format* format) { return format->name == name; });
  return found == formats.end() ? nullptr : *found;
}

const Format* find_format_by_extension(std::string_view extension) {
  const std::string wanted = lower_case(extension);
  for (const Format* format : formats) {
    const auto& extensions = format->extensions;
    if (std::find(extensions.begin(), extensions.end(), wanted) != extensions.end()) return format;
  }
  return nullptr;
}

Result<const Format*> probe(const File& file) {
  VDISK_ASSIGN(const u64 size, file.size());
  std::array<std::byte, head_size> head;
  std::array<std::byte, tail_size> tail;
  const auto head_bytes = std::span(head).first(std::min(size, head_size));
  const auto tail_bytes = std::span(tail).first(std::min(size, tail_size));
  VDISK_TRY(file.read_at(0, head_bytes));
  VDISK_TRY(file.read_at(size - tail_bytes.size(), tail_bytes));
  const ProbeWindow window{head_bytes, tail_bytes, size};

  // A guest can write any signature into the start of a fixed disk, and anybody can append a
  // trailer: choosing one of two formats would let the writer of the file choose.
  const Format* found = nullptr;
  for (const Format* format : formats) {
    if (format->probe(window) == Match::none) continue;
    if (found != nullptr) return ambiguous(*found, *format);
    found = format;
  }
  return found;
}

}  // namespace vdisk
