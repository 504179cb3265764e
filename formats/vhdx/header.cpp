#include "formats/vhdx/header.h"

#include <limits>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

std::array<std::byte, header_size> encode(const Header& header) {
  RawHeader raw{};
  std::ranges::copy(header_signature, raw.signature.begin());
  raw.sequence_number = header.sequence_number;
  raw.file_write_guid = encode(header.file_write_guid);
  raw.data_write_guid = encode(header.data_write_guid);
  raw.log_guid = encode(header.log_guid);
  raw.log_version = header.log_version;
  raw.version = header.version;
  raw.log_length = header.log_length;
  raw.log_offset = header.log_offset;
  raw.checksum = crc32c_without_field(bytes_of(raw), offsetof(RawHeader, checksum));
  std::array<std::byte, header_size> slot;
  store(slot, raw);
  return slot;
}

std::optional<Header> decode_header(std::span<const std::byte> slot) {
  const auto raw = load<RawHeader>(slot);
  if (!equals_text(raw.signature, header_signature)) return std::nullopt;
  const u32 crc = crc32c_without_field(slot.first(header_size), offsetof(RawHeader, checksum));
  if (crc != raw.checksum.value()) return std::nullopt;
  return Header{.sequence_number = raw.sequence_number.value(),
                .file_write_guid = decode(raw.file_write_guid),
                .data_write_guid = decode(raw.data_write_guid),
                .log_guid = decode(raw.log_guid),
                .log_version = raw.log_version.value(),
                .version = raw.version.value(),
                .log_length = raw.log_length.value(),
                .log_offset = raw.log_offset.value()};
}

Result<HeaderPair> read_headers(const File& file) {
  std::array<std::array<std::byte, header_size>, 2> slots;
  VDISK_TRY(file.read_at(header_slot_offsets[0], slots[0]));
  VDISK_TRY(file.read_at(header_slot_offsets[1], slots[1]));
  const auto first = decode_header(slots[0]);
  const auto second = decode_header(slots[1]);
  if (!first && !second) {
    return broken(3, Errc::header_checksum, header_slot_offsets[0],
                  fmt::format("headers at {:#x} and {:#x}: signature or checksum wrong in both, "
                              "expected a valid one",
                              header_slot_offsets[0], header_slot_offsets[1]));
  }
  HeaderPair pair;
  pair.other_valid = first && second;
  pair.identical = slots[0] == slots[1];
  const bool second_wins = !first || (second && second->sequence_number > first->sequence_number);
  pair.current_slot = second_wins ? 1 : 0;
  pair.current = second_wins ? *second : *first;
  constexpr std::size_t reserved = offsetof(RawHeader, reserved);
  pair.reserved_used = !is_zero(std::span(slots[second_wins ? 1 : 0]).subspan(reserved));
  pair.ambiguous =
      pair.other_valid && !pair.identical && first->sequence_number == second->sequence_number;
  return pair;
}

namespace {

Status validate_log_place(const Header& header, u64 slot, u64 file_size) {
  if (header.log_length == 0) {
    if (header.log_guid.is_zero()) return {};
    return broken(9, Errc::header_invalid, slot,
                  fmt::format("header at {:#x}: LogLength 0 with a LogGuid, expected a log", slot));
  }
  if (!is_aligned(header.log_offset, region_alignment) ||
      !is_aligned(header.log_length, region_alignment) || header.log_offset < header_section_size) {
    return broken(8, Errc::header_invalid, slot,
                  fmt::format("header at {:#x}: log at {:#x} of {:#x} bytes, expected multiples of "
                              "1 MiB behind the first 1 MiB",
                              slot, header.log_offset, header.log_length));
  }
  if (!lies_within(header.log_offset, header.log_length, 0, file_size)) {
    return broken(8, place_error(header.log_offset, header.log_length, Errc::header_invalid), slot,
                  fmt::format("header at {:#x}: log at {:#x} of {:#x} bytes, expected inside the "
                              "file of {:#x} bytes",
                              slot, header.log_offset, header.log_length, file_size));
  }
  if (header.log_length > max_log_length) {
    return broken(8, Errc::limit, slot,
                  fmt::format("header at {:#x}: log of {:#x} bytes, expected at most 1 GiB", slot,
                              header.log_length));
  }
  return {};
}

}  // namespace

Result<bool> validate(const HeaderPair& headers, u64 file_size, Objections& objections) {
  const Header& header = headers.current;
  const u64 slot = headers.current_offset();
  bool log_usable = true;
  const auto raise_about_log = [&](std::unexpected<Error> objection) {
    log_usable = false;
    return objections.raise(std::move(objection));
  };
  if (headers.ambiguous) {
    VDISK_TRY(raise_about_log(broken(
        5, Errc::header_invalid, slot,
        fmt::format("headers at {:#x} and {:#x}: one sequence number {} with different "
                    "content, expected a newer one",
                    header_slot_offsets[0], header_slot_offsets[1], header.sequence_number))));
  }
  if (header.version != format_version) {
    VDISK_TRY(raise_about_log(
        broken(6, Errc::header_unsupported_version, slot,
               fmt::format("header at {:#x}: version {}, expected 1", slot, header.version))));
  }
  if (!header.log_guid.is_zero() && header.log_version != supported_log_version) {
    VDISK_TRY(raise_about_log(
        broken(7, Errc::unsupported_version, slot,
               fmt::format("header at {:#x}: log version {} with a log in use, expected 0", slot,
                           header.log_version))));
  }
  if (auto placed = validate_log_place(header, slot, file_size); !placed) {
    VDISK_TRY(raise_about_log(std::unexpected(std::move(placed).error())));
  }
  return log_usable;
}

Status validate(const HeaderPair& headers, u64 file_size) {
  Objections none_allowed;
  VDISK_TRY(validate(headers, file_size, none_allowed));
  return {};
}

Status update_header(File& file, HeaderPair& headers, const Header& changed) {
  if (headers.current.sequence_number == std::numeric_limits<u64>::max()) {
    return fail_at(headers.current_offset(), Errc::wrong_state,
                   fmt::format("header at {:#x}: sequence number at its largest value, expected "
                               "room for an update",
                               headers.current_offset()));
  }
  Header next = changed;
  next.sequence_number = headers.current.sequence_number + 1;
  const int slot = 1 - headers.current_slot;
  VDISK_TRY(file.write_at(header_slot_offsets[slot], encode(next)));
  VDISK_TRY(file.flush());
  headers = HeaderPair{.current = next, .current_slot = slot, .other_valid = true};
  return {};
}

}  // namespace vdisk::vhdx
