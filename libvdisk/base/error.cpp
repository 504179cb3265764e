/// The single table of result codes (docs/jobs.md).
#include "vdisk/error.h"

#include <array>

namespace vdisk {

namespace {

struct Row {
  Errc code;
  std::string_view name;
  ErrorKind kind;
  u32 win32;
  std::string_view description;
};

using K = ErrorKind;

// One row for each enumerator, in the order of the enumeration.
constexpr std::array rows{
    Row{Errc::success, "success", K::none, 0, "success"},
    Row{Errc::file_not_found, "file_not_found", K::not_found, 2, "the file does not exist"},
    Row{Errc::path_not_found, "path_not_found", K::not_found, 3, "the directory does not exist"},
    Row{Errc::access_denied, "access_denied", K::access, 5, "access denied"},
    Row{Errc::invalid_handle, "invalid_handle", K::state, 6, "the handle is not usable"},
    Row{Errc::no_memory, "no_memory", K::no_memory, 8, "not enough memory"},
    Row{Errc::invalid_data, "invalid_data", K::corrupt, 13, "the data are not valid"},
    Row{Errc::write_protected, "write_protected", K::access, 19, "opened read-only"},
    Row{Errc::busy, "busy", K::busy, 32, "locked by another user"},
    Row{Errc::end_of_file, "end_of_file", K::truncated, 38, "behind the end"},
    Row{Errc::unsupported, "unsupported", K::unsupported, 50, "not supported"},
    Row{Errc::file_exists, "file_exists", K::exists, 80, "the file exists"},
    Row{Errc::invalid_argument, "invalid_argument", K::invalid_argument, 87, "invalid argument"},
    Row{Errc::no_space, "no_space", K::no_space, 112, "no space left on the device"},
    Row{Errc::buffer_too_small, "buffer_too_small", K::invalid_argument, 122,
        "the buffer is too small"},
    Row{Errc::bad_path, "bad_path", K::invalid_argument, 161, "the path name is not valid"},
    Row{Errc::operation_in_progress, "operation_in_progress", K::state, 170,
        "another operation is in progress"},
    Row{Errc::already_exists, "already_exists", K::exists, 183, "it exists already"},
    Row{Errc::more_data, "more_data", K::state, 234, "more data are available"},
    Row{Errc::timed_out, "timed_out", K::state, 258, "the time is over"},
    Row{Errc::file_system_limit, "file_system_limit", K::limit, 665,
        "a limit of the host's file system is reached"},
    Row{Errc::canceled, "canceled", K::canceled, 995, "canceled"},
    Row{Errc::already_canceled, "already_canceled", K::canceled, 1223, "it was canceled before"},
    Row{Errc::too_late, "too_late", K::state, 0x8004240C, "too late to cancel"},
    Row{Errc::incomplete, "incomplete", K::state, 996, "not complete"},
    Row{Errc::pending, "pending", K::none, 997, "pending"},
    Row{Errc::not_found, "not_found", K::not_found, 1168, "not found"},
    Row{Errc::corrupt, "corrupt", K::corrupt, 1392, "the image is corrupt"},
    Row{Errc::footer_missing, "footer_missing", K::corrupt, 0xC03A0001,
        "no footer where one must be"},
    Row{Errc::footer_checksum, "footer_checksum", K::corrupt, 0xC03A0002,
        "the checksum of the footer is wrong"},
    Row{Errc::footer_invalid, "footer_invalid", K::corrupt, 0xC03A0003, "the footer is not sane"},
    Row{Errc::not_image, "not_image", K::not_image, 0xC03A0004, "not a recognised image format"},
    Row{Errc::unsupported_version, "unsupported_version", K::unsupported, 0xC03A0005,
        "the version of the format is not known"},
    Row{Errc::header_checksum, "header_checksum", K::corrupt, 0xC03A0006,
        "the checksum of the header is wrong"},
    Row{Errc::header_unsupported_version, "header_unsupported_version", K::unsupported, 0xC03A0007,
        "the version of the header is not known"},
    Row{Errc::header_invalid, "header_invalid", K::corrupt, 0xC03A0008, "the header is not sane"},
    Row{Errc::block_allocation_failed, "block_allocation_failed", K::no_space, 0xC03A0009,
        "a new block could not be allocated"},
    Row{Errc::bat_invalid, "bat_invalid", K::corrupt, 0xC03A000A,
        "the block allocation table is not sane"},
    Row{Errc::block_size_invalid, "block_size_invalid", K::corrupt, 0xC03A000B,
        "the block size is not valid"},
    Row{Errc::bitmap_mismatch, "bitmap_mismatch", K::corrupt, 0xC03A000C,
        "the sector bitmap disagrees with the block"},
    Row{Errc::parent_not_found, "parent_not_found", K::parent_not_found, 0xC03A000D,
        "the parent cannot be located"},
    Row{Errc::parent_mismatch, "parent_mismatch", K::parent_mismatch, 0xC03A000E,
        "the parent has another identity"},
    Row{Errc::parent_time_mismatch, "parent_time_mismatch", K::parent_mismatch, 0xC03A000F,
        "the time stamp of the parent differs"},
    Row{Errc::metadata_read_failed, "metadata_read_failed", K::io, 0xC03A0010,
        "reading metadata failed"},
    Row{Errc::metadata_write_failed, "metadata_write_failed", K::io, 0xC03A0011,
        "writing metadata failed"},
    Row{Errc::virtual_size_invalid, "virtual_size_invalid", K::corrupt, 0xC03A0012,
        "the virtual size is not valid"},
    Row{Errc::file_size_invalid, "file_size_invalid", K::truncated, 0xC03A0013,
        "the file is truncated"},
    Row{Errc::no_provider, "no_provider", K::unsupported, 0xC03A0014,
        "nobody handles this kind of file"},
    Row{Errc::not_virtual_disk, "not_virtual_disk", K::not_image, 0xC03A0015, "not a virtual disk"},
    Row{Errc::parent_access_denied, "parent_access_denied", K::parent_policy, 0xC03A0016,
        "the parent may not be opened"},
    Row{Errc::parent_size_mismatch, "parent_size_mismatch", K::parent_mismatch, 0xC03A0017,
        "the sizes of child and parent do not fit"},
    Row{Errc::parent_cycle, "parent_cycle", K::parent_cycle, 0xC03A0018,
        "the image is its own ancestor"},
    Row{Errc::ancestor_failed, "ancestor_failed", K::corrupt, 0xC03A0019,
        "an ancestor could not be opened"},
    Row{Errc::host_file_unsuitable, "host_file_unsuitable", K::unsupported, 0xC03A001A,
        "the host file is compressed, encrypted or sparse"},
    Row{Errc::wrong_disk_kind, "wrong_disk_kind", K::invalid_argument, 0xC03A001B,
        "not possible on this kind of image"},
    Row{Errc::wrong_state, "wrong_state", K::state, 0xC03A001C, "not possible in this state"},
    Row{Errc::host_sector_size_unsupported, "host_sector_size_unsupported", K::unsupported,
        0xC03A001D, "the sector size of the host disk is not supported"},
    Row{Errc::source_owned, "source_owned", K::busy, 0xC03A001E,
        "the source belongs to somebody else"},
    Row{Errc::source_online, "source_online", K::state, 0xC03A001F,
        "the source must be offline or read-only"},
    Row{Errc::tracking_not_initialised, "tracking_not_initialised", K::state, 0xC03A0020,
        "change tracking is not initialised"},
    Row{Errc::tracking_overflow, "tracking_overflow", K::limit, 0xC03A0021,
        "the change tracking file is too large"},
    Row{Errc::tracking_invalidated, "tracking_invalidated", K::state, 0xC03A0022,
        "the disk was changed outside change tracking"},
    Row{Errc::tracking_wrong_state, "tracking_wrong_state", K::state, 0xC03A0023,
        "change tracking is in that state already"},
    Row{Errc::tracking_inconsistent, "tracking_inconsistent", K::corrupt, 0xC03A0024,
        "the change tracking file is inconsistent"},
    Row{Errc::shrink_would_cut_partition, "shrink_would_cut_partition", K::state, 0xC03A0025,
        "shrinking would cut a partition"},
    Row{Errc::smallest_size_unknown, "smallest_size_unknown", K::state, 0xC03A0026,
        "the smallest safe size is not known"},
    Row{Errc::cannot_shrink, "cannot_shrink", K::state, 0xC03A0027, "it cannot get smaller safely"},
    Row{Errc::metadata_full, "metadata_full", K::limit, 0xC03A0028,
        "there is no room for the metadata item"},
    Row{Errc::tracking_id_malformed, "tracking_id_malformed", K::invalid_argument, 0xC03A0029,
        "the change tracking id is malformed"},
    Row{Errc::tracking_off, "tracking_off", K::state, 0xC03A002A,
        "change tracking is off for the disk"},
    Row{Errc::tracking_id_unknown, "tracking_id_unknown", K::not_found, 0xC03A0030,
        "no data are kept for the change tracking id"},
    Row{Errc::disk_id_mismatch, "disk_id_mismatch", K::invalid_argument, 0xC03A0034,
        "the disk id is not the one expected"},
    Row{Errc::io, "io", K::io, 1117, "input or output failed"},
    Row{Errc::poisoned, "poisoned", K::io, 1117, "an earlier flush failed"},
    Row{Errc::limit, "limit", K::limit, 665, "a limit of the library is exceeded"},
    Row{Errc::not_regular, "not_regular", K::invalid_argument, 161, "not a regular file"},
    Row{Errc::same_file, "same_file", K::invalid_argument, 87,
        "source and destination are the same file"},
    Row{Errc::format_mismatch, "format_mismatch", K::invalid_argument, 0xC03A0014,
        "the content is of another format"},
    Row{Errc::ambiguous_format, "ambiguous_format", K::invalid_argument, 0xC03A0014,
        "the content fits several formats"},
    Row{Errc::has_children, "has_children", K::state, 0xC03A001C, "another image depends on it"},
    Row{Errc::needs_replay, "needs_replay", K::state, 0xC03A001C, "the log is dirty"},
    Row{Errc::chain_too_deep, "chain_too_deep", K::limit, 0xC03A0019, "the chain is too deep"},
    Row{Errc::internal, "internal", K::state, 1359, "internal error"},
};

constexpr bool rows_are_in_order() {
  for (std::size_t index = 0; index < rows.size(); ++index) {
    if (static_cast<std::size_t>(rows[index].code) != index) return false;
  }
  return rows.size() == static_cast<std::size_t>(Errc::internal) + 1;
}
static_assert(rows_are_in_order());

const Row& row(Errc code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  return rows[index < rows.size() ? index : rows.size() - 1];
}

constexpr u32 facility_win32 = 0x80070000;
constexpr u32 largest_win32 = 0xFFFF;

}  // namespace

std::string_view name(Errc code) noexcept {
  return row(code).name;
}
ErrorKind kind(Errc code) noexcept {
  return row(code).kind;
}
std::string_view describe(Errc code) noexcept {
  return row(code).description;
}
u32 win32_code(Errc code) noexcept {
  return row(code).win32;
}

u32 hresult(Errc code) noexcept {
  const u32 number = win32_code(code);
  return number == 0 || number > largest_win32 ? number : facility_win32 | number;
}

u32 vds_code(Errc code) noexcept {
  switch (code) {
    case Errc::pending: return 0x80042409;
    case Errc::canceled:
    case Errc::already_canceled: return 0x8004240D;
    case Errc::timed_out: return 0x8004245F;
    case Errc::unsupported: return 0x80042400;
    case Errc::operation_in_progress: return 0x80042404;
    default: return hresult(code);
  }
}

std::string_view name(ErrorKind kind) noexcept {
  constexpr std::array<std::string_view, 20> names{"none",
                                                   "corrupt",
                                                   "truncated",
                                                   "unsupported",
                                                   "limit",
                                                   "not_image",
                                                   "invalid_argument",
                                                   "io",
                                                   "no_space",
                                                   "no_memory",
                                                   "busy",
                                                   "access",
                                                   "not_found",
                                                   "exists",
                                                   "parent_not_found",
                                                   "parent_mismatch",
                                                   "parent_policy",
                                                   "parent_cycle",
                                                   "canceled",
                                                   "state"};
  static_assert(names.size() == static_cast<std::size_t>(ErrorKind::state) + 1);
  return names[static_cast<std::size_t>(kind)];
}

}  // namespace vdisk
