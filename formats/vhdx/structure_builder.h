/// Collects the fields of one on-disk structure for dump.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "formats/vhdx/structures.h"
#include "vdisk/format.h"

namespace vdisk::vhdx {

class StructureBuilder {
 public:
  struct Place {
    u64 offset = 0;  ///< in the file
    u64 size = 0;
  };
  StructureBuilder(std::string name, Place place) {
    structure_.name = std::move(name);
    structure_.offset = place.offset;
    structure_.size = place.size;
  }

  /// Offsets and lengths: hexadecimal.
  template <class Buffer>
  StructureBuilder& hex(std::string_view name, u64 place, const Buffer& value) {
    return text(name, {place, sizeof value}, hex_text(value.value()));
  }
  /// Counts, numbers, sizes: decimal.
  template <class Buffer>
  StructureBuilder& number(std::string_view name, u64 place, const Buffer& value) {
    return text(name, {place, sizeof value}, std::to_string(value.value()));
  }
  StructureBuilder& guid(std::string_view name, u64 place, const RawGuid& value) {
    return text(name, {place, sizeof value}, to_string(decode(value)));
  }
  /// `place.offset` counts from the start of the structure.
  StructureBuilder& text(std::string_view name, Place place, std::string value) {
    structure_.fields.push_back(
        {std::string(name), structure_.offset + place.offset, place.size, std::move(value)});
    return *this;
  }

  [[nodiscard]] std::size_t field_count() const { return structure_.fields.size(); }
  [[nodiscard]] Status send(const StructureSink& sink) const { return sink(structure_); }

  [[nodiscard]] static std::string hex_text(u64 value);
  /// Signature bytes; anything unprintable as `.`.
  [[nodiscard]] static std::string signature_text(std::span<const char> bytes);

 private:
  Structure structure_;
};

}  // namespace vdisk::vhdx
