/// Errors as values: every fallible function returns Result<T> or Status.
///
/// `Errc` names the cause a client can act on; the message serves the person and has the form
/// `<path>: <structure> at <offset>: <found>, expected <expected>`.
/// The mapping of each code to its Win32 number, HRESULT and VDS code lives in one table
/// (libvdisk/base/error.cpp).
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "vdisk/types.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// One enumerator for each cause. The first group has small Win32 numbers, the second the
/// 0xC03A.... numbers of the virtual disk facility, the third causes that only libvdisk knows.
enum class Errc {
  success,
  file_not_found,
  path_not_found,
  access_denied,
  invalid_handle,
  no_memory,
  invalid_data,
  write_protected,
  busy,  ///< locked by another reader or writer (sharing violation)
  end_of_file,
  unsupported,
  file_exists,
  invalid_argument,
  no_space,
  buffer_too_small,
  bad_path,
  operation_in_progress,
  already_exists,
  more_data,
  timed_out,
  file_system_limit,
  canceled,          ///< the operation was canceled and left nothing behind
  already_canceled,  ///< answer of a second cancel
  too_late,          ///< answer of a cancel behind the point of no return
  incomplete,
  pending,
  not_found,
  corrupt,  ///< a rule of the format is broken and no finer code fits

  footer_missing,
  footer_checksum,
  footer_invalid,
  not_image,  ///< not a recognised image format
  unsupported_version,
  header_checksum,
  header_unsupported_version,
  header_invalid,
  block_allocation_failed,
  bat_invalid,
  block_size_invalid,
  bitmap_mismatch,
  parent_not_found,
  parent_mismatch,
  parent_time_mismatch,
  metadata_read_failed,
  metadata_write_failed,
  virtual_size_invalid,
  file_size_invalid,  ///< the file is truncated: something it names lies behind its end
  no_provider,
  not_virtual_disk,
  parent_access_denied,  ///< parent policy: the path leads out of the allowed places
  parent_size_mismatch,
  parent_cycle,
  ancestor_failed,
  host_file_unsuitable,
  wrong_disk_kind,
  wrong_state,
  host_sector_size_unsupported,
  source_owned,
  source_online,
  tracking_not_initialised,
  tracking_overflow,
  tracking_invalidated,
  tracking_wrong_state,
  tracking_inconsistent,
  shrink_would_cut_partition,
  smallest_size_unknown,
  cannot_shrink,
  metadata_full,
  tracking_id_malformed,
  tracking_off,
  tracking_id_unknown,
  disk_id_mismatch,

  io,               ///< the operating system failed a read, write or flush
  poisoned,         ///< an earlier flush of this handle failed; nothing more is written
  limit,            ///< larger than a documented limit
  not_regular,      ///< a directory, pipe, socket or device where a regular file must be
  same_file,        ///< source and destination are one file
  format_mismatch,  ///< the format asked for contradicts the content
  ambiguous_format,
  has_children,  ///< another image names this one as its parent
  needs_replay,  ///< the VHDX log is dirty and the policy forbids to replay it
  chain_too_deep,
  internal,
};

/// What a caller does about an error: coarse groups of Errc, stable names.
enum class ErrorKind {
  none,
  corrupt,
  truncated,
  unsupported,
  limit,
  not_image,
  invalid_argument,
  io,
  no_space,
  no_memory,
  busy,
  access,
  not_found,
  exists,
  parent_not_found,
  parent_mismatch,
  parent_policy,
  parent_cycle,
  canceled,
  state,
};

/// Stable lower-case name of the enumerator, e.g. "parent_not_found". Never empty.
[[nodiscard]] std::string_view name(Errc code) noexcept;
/// Stable lower-case name of the group.
[[nodiscard]] std::string_view name(ErrorKind kind) noexcept;
/// The group a code belongs to.
[[nodiscard]] ErrorKind kind(Errc code) noexcept;
/// One plain sentence for the code, without a full stop.
[[nodiscard]] std::string_view describe(Errc code) noexcept;
/// Win32 error number, or the 0xC03A.... number of the virtual disk facility.
[[nodiscard]] u32 win32_code(Errc code) noexcept;
/// HRESULT: 0xC03A.... unchanged, small numbers as 0x8007nnnn, success 0.
[[nodiscard]] u32 hresult(Errc code) noexcept;
/// VDS code for the states of an asynchronous operation, else the HRESULT.
[[nodiscard]] u32 vds_code(Errc code) noexcept;

/// An error: code for the reaction, message for the person.
struct [[nodiscard]] Error {
  Errc code = Errc::internal;
  std::string message;
  int os_error = 0;                ///< errno of the failed call, or 0
  std::optional<u64> offset = {};  ///< byte offset of the structure in its file
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

/// Shorthand for returning an error.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}
/// The same with the offset of the structure at fault.
[[nodiscard]] inline std::unexpected<Error> fail_at(u64 offset, Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message), 0, offset});
}

}  // namespace vdisk
#pragma GCC visibility pop
