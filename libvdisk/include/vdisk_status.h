/* libvdisk, the C interface: versions, status codes and errors. Included by vdisk.h. */
#ifndef VDISK_STATUS_H
#define VDISK_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions ------------------------------------------------------------------------------ */

/** Of this header. The interface only grows while VDISK_ABI stays the same. */
#define VDISK_ABI 0

/** "major.minor.patch" of the library; static. */
const char* vdisk_version(void);
/** VDISK_ABI of the library. */
uint32_t vdisk_abi(void);

/* ---- Status codes -------------------------------------------------------------------------- */

/** One number for each cause; the numbers never change. docs/jobs.md has the table, with those
 * that Windows uses. */
typedef enum vdisk_status {
  VDISK_SUCCESS = 0,
  VDISK_FILE_NOT_FOUND = 1,
  VDISK_PATH_NOT_FOUND = 2,
  VDISK_ACCESS_DENIED = 3,
  VDISK_INVALID_HANDLE = 4,
  VDISK_NO_MEMORY = 5,
  VDISK_INVALID_DATA = 6,
  VDISK_WRITE_PROTECTED = 7,
  VDISK_BUSY = 8,
  VDISK_END_OF_FILE = 9,
  VDISK_UNSUPPORTED = 10,
  VDISK_FILE_EXISTS = 11,
  VDISK_INVALID_ARGUMENT = 12,
  VDISK_NO_SPACE = 13,
  VDISK_BUFFER_TOO_SMALL = 14,
  VDISK_BAD_PATH = 15,
  VDISK_OPERATION_IN_PROGRESS = 16,
  VDISK_ALREADY_EXISTS = 17,
  VDISK_MORE_DATA = 18,
  VDISK_TIMED_OUT = 19,
  VDISK_FILE_SYSTEM_LIMIT = 20,
  VDISK_CANCELED = 21,
  VDISK_ALREADY_CANCELED = 22,
  VDISK_TOO_LATE = 23,
  VDISK_INCOMPLETE = 24,
  VDISK_PENDING = 25,
  VDISK_NOT_FOUND = 26,
  VDISK_CORRUPT = 27,
  VDISK_FOOTER_MISSING = 28,
  VDISK_FOOTER_CHECKSUM = 29,
  VDISK_FOOTER_INVALID = 30,
  VDISK_NOT_IMAGE = 31,
  VDISK_UNSUPPORTED_VERSION = 32,
  VDISK_HEADER_CHECKSUM = 33,
  VDISK_HEADER_UNSUPPORTED_VERSION = 34,
  VDISK_HEADER_INVALID = 35,
  VDISK_BLOCK_ALLOCATION_FAILED = 36,
  VDISK_BAT_INVALID = 37,
  VDISK_BLOCK_SIZE_INVALID = 38,
  VDISK_BITMAP_MISMATCH = 39,
  VDISK_PARENT_NOT_FOUND = 40,
  VDISK_PARENT_MISMATCH = 41,
  VDISK_PARENT_TIME_MISMATCH = 42,
  VDISK_METADATA_READ_FAILED = 43,
  VDISK_METADATA_WRITE_FAILED = 44,
  VDISK_VIRTUAL_SIZE_INVALID = 45,
  VDISK_FILE_SIZE_INVALID = 46,
  VDISK_NO_PROVIDER = 47,
  VDISK_NOT_VIRTUAL_DISK = 48,
  VDISK_PARENT_ACCESS_DENIED = 49,
  VDISK_PARENT_SIZE_MISMATCH = 50,
  VDISK_PARENT_CYCLE = 51,
  VDISK_ANCESTOR_FAILED = 52,
  VDISK_HOST_FILE_UNSUITABLE = 53,
  VDISK_WRONG_DISK_KIND = 54,
  VDISK_WRONG_STATE = 55,
  VDISK_HOST_SECTOR_SIZE_UNSUPPORTED = 56,
  VDISK_SOURCE_OWNED = 57,
  VDISK_SOURCE_ONLINE = 58,
  VDISK_TRACKING_NOT_INITIALISED = 59,
  VDISK_TRACKING_OVERFLOW = 60,
  VDISK_TRACKING_INVALIDATED = 61,
  VDISK_TRACKING_WRONG_STATE = 62,
  VDISK_TRACKING_INCONSISTENT = 63,
  VDISK_SHRINK_WOULD_CUT_PARTITION = 64,
  VDISK_SMALLEST_SIZE_UNKNOWN = 65,
  VDISK_CANNOT_SHRINK = 66,
  VDISK_METADATA_FULL = 67,
  VDISK_TRACKING_ID_MALFORMED = 68,
  VDISK_TRACKING_OFF = 69,
  VDISK_TRACKING_ID_UNKNOWN = 70,
  VDISK_DISK_ID_MISMATCH = 71,
  VDISK_IO = 72,
  VDISK_POISONED = 73,
  VDISK_LIMIT = 74,
  VDISK_NOT_REGULAR = 75,
  VDISK_SAME_FILE = 76,
  VDISK_FORMAT_MISMATCH = 77,
  VDISK_AMBIGUOUS_FORMAT = 78,
  VDISK_HAS_CHILDREN = 79,
  VDISK_NEEDS_REPLAY = 80,
  VDISK_CHAIN_TOO_DEEP = 81,
  VDISK_INTERNAL = 82,
} vdisk_status;

/* These never block, and may be called from every thread. */

/** Stable lower-case name ("parent_not_found"); static, never NULL. */
const char* vdisk_status_name(vdisk_status status);
/** One plain sentence; static, never NULL. */
const char* vdisk_status_describe(vdisk_status status);
/** The group of causes ("corrupt", "truncated", "io" ...); static, never NULL. */
const char* vdisk_status_kind(vdisk_status status);
/** The numbers that Windows uses for the cause. */
uint32_t vdisk_status_win32(vdisk_status status);
uint32_t vdisk_status_hresult(vdisk_status status);
uint32_t vdisk_status_vds(vdisk_status status);

/** Threads: all functions but free. None of them blocks. */
typedef struct vdisk_error vdisk_error;
vdisk_status vdisk_error_status(const vdisk_error* error);
/** "<path>: <structure> at <offset>: <found>, expected <expected>"; lives as long as the error. */
const char* vdisk_error_message(const vdisk_error* error);
/** errno of the failed system call, or 0. */
int vdisk_error_os_error(const vdisk_error* error);
/** Whether the error belongs to a place in a file, and which. */
int vdisk_error_offset(const vdisk_error* error, uint64_t* offset);
void vdisk_error_free(vdisk_error* error);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#endif
