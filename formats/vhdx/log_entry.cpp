#include "formats/vhdx/log_entry.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/checksum.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 first_sector_descriptors =
    (log_sector_size - sizeof(RawLogEntryHeader)) / sizeof(RawLogDescriptor);
constexpr u64 other_sector_descriptors = log_sector_size / sizeof(RawLogDescriptor);
static_assert(first_sector_descriptors == 126 && other_sector_descriptors == 128);

u32 high_half(u64 value) {
  return static_cast<u32>(value >> 32);
}
u32 low_half(u64 value) {
  return static_cast<u32>(value);
}

bool is_plausible(const LogEntryHeader& header, const LogRing& ring) {
  return header.entry_length >= log_sector_size && header.entry_length <= ring.log_length &&
         is_aligned(header.entry_length, log_sector_size) &&
         is_aligned(header.tail, log_sector_size) && header.tail < ring.log_length &&
         header.sequence_number != 0 && header.log_guid == ring.log_guid &&
         descriptor_sector_count(header.descriptor_count) <= header.entry_length / log_sector_size;
}

}  // namespace

u64 descriptor_sector_count(u64 descriptor_count) {
  return divide_up(sizeof(RawLogEntryHeader) + descriptor_count * sizeof(RawLogDescriptor),
                   log_sector_size);
}

u64 descriptors_in_sector(u64 sector_index, u64 descriptor_count) {
  if (sector_index == 0) return std::min(descriptor_count, first_sector_descriptors);
  const u64 before = first_sector_descriptors + (sector_index - 1) * other_sector_descriptors;
  return descriptor_count <= before ? 0
                                    : std::min(descriptor_count - before, other_sector_descriptors);
}

u64 first_descriptor_in_sector(u64 sector_index) {
  return sector_index == 0 ? sizeof(RawLogEntryHeader) : 0;
}

std::optional<LogEntryHeader> decode_log_entry_header(std::span<const std::byte> bytes) {
  const auto raw = load<RawLogEntryHeader>(bytes);
  if (!equals_text(raw.signature, log_entry_signature)) return std::nullopt;
  return LogEntryHeader{.checksum = raw.checksum.value(),
                        .entry_length = raw.entry_length.value(),
                        .tail = raw.tail.value(),
                        .sequence_number = raw.sequence_number.value(),
                        .descriptor_count = raw.descriptor_count.value(),
                        .log_guid = decode(raw.log_guid),
                        .flushed_file_offset = raw.flushed_file_offset.value(),
                        .last_file_offset = raw.last_file_offset.value()};
}

std::optional<LogDescriptor> decode_log_descriptor(std::span<const std::byte> bytes) {
  const auto raw = load<RawLogDescriptor>(bytes);
  LogDescriptor descriptor{.is_zero = equals_text(raw.signature, zero_descriptor_signature),
                           .file_offset = raw.file_offset.value(),
                           .length = log_sector_size,
                           .sequence_number = raw.sequence_number.value(),
                           .leading_bytes = raw.leading_bytes,
                           .trailing_bytes = raw.trailing_bytes};
  if (descriptor.is_zero) {
    descriptor.length = load<little_uint64_buf_t>(raw.leading_bytes).value();
    return descriptor;
  }
  if (!equals_text(raw.signature, data_descriptor_signature)) return std::nullopt;
  return descriptor;
}

std::array<std::byte, log_sector_size> rebuild_page(const LogDescriptor& descriptor,
                                                    std::span<const std::byte> data_sector) {
  std::array<std::byte, log_sector_size> page;
  std::ranges::copy(data_sector.first(log_sector_size), page.begin());
  std::ranges::copy(descriptor.leading_bytes, page.begin());
  std::ranges::copy(descriptor.trailing_bytes, page.end() - std::ssize(descriptor.trailing_bytes));
  return page;
}

LogEntryParser::Step LogEntryParser::begin(const LogRing& ring, std::span<const std::byte> sector) {
  const auto header = decode_log_entry_header(sector);
  if (!header || !is_plausible(*header, ring)) return Step::invalid;
  header_ = *header;
  sector_count_ = header_.entry_length / log_sector_size;
  descriptor_sector_count_ = descriptor_sector_count(header_.descriptor_count);
  taken_ = 0;
  data_descriptor_count_ = 0;
  crc_ = crc32c_without_field(sector.first(log_sector_size), offsetof(RawLogEntryHeader, checksum));
  return step_after(take_descriptors(sector));
}

LogEntryParser::Step LogEntryParser::next(std::span<const std::byte> sector) {
  const bool accepted =
      taken_ < descriptor_sector_count_ ? take_descriptors(sector) : is_data_sector(sector);
  if (accepted) crc_ = crc32c(sector.first(log_sector_size), crc_);
  return step_after(accepted);
}

LogEntryParser::Step LogEntryParser::step_after(bool accepted) {
  if (!accepted) return Step::invalid;
  ++taken_;
  const u64 data_sector_count = sector_count_ - descriptor_sector_count_;
  if (taken_ == descriptor_sector_count_ && data_descriptor_count_ != data_sector_count) {
    return Step::invalid;
  }
  if (taken_ < sector_count_) return Step::more;
  return crc_ == header_.checksum ? Step::complete : Step::invalid;
}

bool LogEntryParser::take_descriptors(std::span<const std::byte> sector) {
  u64 place = first_descriptor_in_sector(taken_);
  for (u64 left = descriptors_in_sector(taken_, header_.descriptor_count); left > 0; --left) {
    const auto descriptor = decode_log_descriptor(sector.subspan(place));
    if (!descriptor || descriptor->sequence_number != header_.sequence_number) return false;
    if (!descriptor->is_zero) ++data_descriptor_count_;
    place += sizeof(RawLogDescriptor);
  }
  return true;
}

bool LogEntryParser::is_data_sector(std::span<const std::byte> sector) const {
  const auto raw = load<RawLogDataSector>(sector);
  return equals_text(raw.signature, data_sector_signature) &&
         raw.sequence_high.value() == high_half(header_.sequence_number) &&
         raw.sequence_low.value() == low_half(header_.sequence_number);
}

std::optional<LogEntryHeader> parse_log_entry(std::span<const std::byte> entry,
                                              const LogRing& ring) {
  if (entry.size() < log_sector_size) return std::nullopt;
  LogEntryParser parser;
  auto step = parser.begin(ring, entry);
  for (u64 place = log_sector_size; step == LogEntryParser::Step::more; place += log_sector_size) {
    if (entry.size() - place < log_sector_size) return std::nullopt;
    step = parser.next(entry.subspan(place));
  }
  if (step == LogEntryParser::Step::invalid) return std::nullopt;
  return parser.header();
}

u64 log_entry_length(u64 page_count) {
  return (descriptor_sector_count(page_count) + page_count) * log_sector_size;
}

namespace {

RawLogDescriptor encode_descriptor(const LogPage& page, u64 sequence_number) {
  RawLogDescriptor raw{};
  std::ranges::copy(data_descriptor_signature, raw.signature.begin());
  std::ranges::copy(page.data.first(raw.leading_bytes.size()), raw.leading_bytes.begin());
  std::ranges::copy(page.data.last(raw.trailing_bytes.size()), raw.trailing_bytes.begin());
  raw.file_offset = page.file_offset;
  raw.sequence_number = sequence_number;
  return raw;
}

RawLogDataSector encode_data_sector(const LogPage& page, u64 sequence_number) {
  RawLogDataSector raw{};
  std::ranges::copy(data_sector_signature, raw.signature.begin());
  raw.sequence_high = high_half(sequence_number);
  raw.sequence_low = low_half(sequence_number);
  std::ranges::copy(page.data.subspan(offsetof(RawLogDataSector, data), raw.data.size()),
                    raw.data.begin());
  return raw;
}

RawLogEntryHeader encode_header(const LogEntrySpec& spec) {
  RawLogEntryHeader raw{};
  std::ranges::copy(log_entry_signature, raw.signature.begin());
  raw.entry_length = static_cast<u32>(log_entry_length(spec.pages.size()));
  raw.tail = spec.tail;
  raw.sequence_number = spec.sequence_number;
  raw.descriptor_count = static_cast<u32>(spec.pages.size());
  raw.log_guid = encode(spec.log_guid);
  raw.flushed_file_offset = spec.flushed_file_offset;
  raw.last_file_offset = spec.last_file_offset;
  return raw;
}

}  // namespace

std::vector<std::byte> encode_log_entry(const LogEntrySpec& spec) {
  std::vector<std::byte> entry(log_entry_length(spec.pages.size()));
  const std::span<std::byte> out(entry);
  // Descriptors are one array behind the header: the sectors of 126 and 128 are contiguous.
  std::size_t descriptor = sizeof(RawLogEntryHeader);
  std::size_t data = descriptor_sector_count(spec.pages.size()) * log_sector_size;
  for (const LogPage& page : spec.pages) {
    store(out.subspan(descriptor), encode_descriptor(page, spec.sequence_number));
    store(out.subspan(data), encode_data_sector(page, spec.sequence_number));
    descriptor += sizeof(RawLogDescriptor);
    data += log_sector_size;
  }
  auto raw = encode_header(spec);
  store(out, raw);
  raw.checksum = crc32c_without_field(entry, offsetof(RawLogEntryHeader, checksum));
  store(out, raw);
  return entry;
}

}  // namespace vdisk::vhdx
