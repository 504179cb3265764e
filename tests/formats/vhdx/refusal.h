/// How a VHDX was refused: the rule named and the kind of the error.
#pragma once

#include <ostream>
#include <string>

#include "formats/vhdx/layout.h"
#include "formats/vhdx/rules.h"
#include "support/vhdx_builder.h"

namespace vdisk::test {

struct Refusal {
  std::string rule;
  ErrorKind kind = ErrorKind::none;

  bool operator==(const Refusal&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
    return out << refusal.rule << ' ' << name(refusal.kind);
  }
};

inline const Refusal opens{};

inline Refusal refusal_of(const Error& error) {
  return {vhdx::rule_of(error), kind(error.code)};
}
template <class T>
Refusal refusal_of(const Result<T>& result) {
  return result ? opens : refusal_of(result.error());
}
/// Through the gate that open, check and dump share.
inline Refusal refusal(const File& file, const ImageOptions& options = {}) {
  return refusal_of(vhdx::read_layout(file, options));
}
/// Whether a warning of that id was given.
inline bool warns(const File& file, std::string_view id) {
  const auto layout = vhdx::read_layout(file, {});
  if (!layout) return false;
  for (const Warning& warning : layout->warnings) {
    if (warning.id == id) return true;
  }
  return false;
}

/// A valid image in which one header field of both slots was overwritten.
inline std::shared_ptr<MemoryFile> with_header_field(u64 field, u64 value, std::size_t size,
                                                     const VhdxBuilder& builder = {}) {
  auto file = builder.build();
  for (int slot = 0; slot < 2; ++slot) {
    poke(*file, header_place[slot] + field, value, size);
    seal_header(*file, slot);
  }
  return file;
}
/// The same for a field of both region tables; `field` counts from the start of the table.
inline std::shared_ptr<MemoryFile> with_region_field(u64 field, u64 value, std::size_t size,
                                                     const VhdxBuilder& builder = {}) {
  auto file = builder.build();
  for (int copy = 0; copy < 2; ++copy) {
    poke(*file, region_table_place[copy] + field, value, size);
    seal_region_table(*file, copy);
  }
  return file;
}
/// Field of the n-th region entry (0 is the BAT, 1 the metadata).
constexpr u64 region_entry(std::size_t index, u64 field) {
  return region_field::first_entry + index * region_field::entry_size + field;
}
/// The same for a field of the metadata table.
inline std::shared_ptr<MemoryFile> with_metadata_field(u64 field, u64 value, std::size_t size,
                                                       const VhdxBuilder& builder = {}) {
  auto file = builder.build();
  poke(*file, builder.metadata_offset() + field, value, size);
  return file;
}
/// Field of the n-th metadata entry (order as in VhdxBuilder::item_offset).
constexpr u64 metadata_entry(std::size_t index, u64 field) {
  return item_field::first_entry + index * item_field::entry_size + field;
}
/// The same for the content of the n-th item.
inline std::shared_ptr<MemoryFile> with_item(std::size_t index, u64 value, std::size_t size,
                                             const VhdxBuilder& builder = {}) {
  auto file = builder.build();
  poke(*file, builder.item_offset(index), value, size);
  return file;
}

}  // namespace vdisk::test
