"""The shared library and the shapes of its C interface (vdisk.h)."""
from __future__ import annotations

import ctypes
import operator
import os
from ctypes import (POINTER, Structure, Union, byref, c_char, c_char_p, c_int, c_size_t, c_uint8,
                    c_uint32, c_uint64, c_void_p)
from typing import Any, Callable, SupportsIndex

SONAME = "libvdisk.so.0"

# Numbers of vdisk_status.h that the package itself decides on.
END_OF_FILE = 9
TIMED_OUT = 19
PENDING = 25
NOT_FOUND = 26


def unsigned(value: SupportsIndex, bits: int, name: str) -> int:
    """The value as C will see it: ctypes itself would cut off what does not fit."""
    number = operator.index(value)
    if not 0 <= number < 1 << bits:
        raise OverflowError(f"{name}: {number}, expected 0 to 2**{bits} - 1")
    return number


class Options(Structure):
    """A structure that the caller fills: begins with its size, and refuses what does not fit."""

    def __init__(self, **values: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(self), **values)

    def __setattr__(self, name: str, value: Any) -> None:
        kind = dict(self._fields_).get(name)
        if kind in (c_uint32, c_uint64, c_size_t):
            value = unsigned(value, 8 * ctypes.sizeof(kind), name)
        super().__setattr__(name, value)


class OpenOptions(Options):
    _fields_ = [("struct_size", c_size_t), ("access", c_uint32), ("read_log", c_uint32),
                ("parents", c_uint32), ("no_lock", c_uint32), ("vhd_size_by_chs", c_uint32),
                ("allow_device", c_uint32), ("format", c_char_p), ("parent", c_char_p),
                ("parent_roots", POINTER(c_char_p)), ("metadata_cache_bytes", c_uint64),
                ("store", c_void_p), ("parent_map", c_void_p)]


class LayerInfo(Structure):
    _fields_ = [("struct_size", c_size_t), ("type", c_uint32), ("block_size", c_uint32),
                ("logical_sector_size", c_uint32), ("physical_sector_size", c_uint32),
                ("virtual_size", c_uint64), ("file_size", c_uint64),
                ("allocated_size", c_uint64), ("id", c_uint8 * 16), ("dirty", c_uint32),
                ("has_parent", c_uint32), ("format", c_char * 16)]


class Extent(Structure):
    _fields_ = [("offset", c_uint64), ("length", c_uint64), ("file_offset", c_uint64),
                ("state", c_uint32), ("depth", c_uint32)]


class Progress(Structure):
    _fields_ = [("operation_status", c_int), ("current_value", c_uint64),
                ("completion_value", c_uint64)]


class Target(Options):
    _fields_ = [("struct_size", c_size_t), ("path", c_char_p), ("format", c_char_p),
                ("type", c_uint32), ("block_size", c_uint32), ("logical_sector_size", c_uint32),
                ("physical_sector_size", c_uint32), ("id", POINTER(c_uint8)),
                ("replace", c_uint32), ("reserved", c_uint32)]


class MergeOptions(Options):
    _fields_ = [("struct_size", c_size_t), ("depth", c_uint32), ("all", c_uint32),
                ("base", c_char_p), ("delete_children", c_uint32), ("force_siblings", c_uint32),
                ("output", POINTER(Target))]


class RebaseOptions(Options):
    _fields_ = [("struct_size", c_size_t), ("force_identity", c_uint32), ("dry_run", c_uint32),
                ("digest", c_char_p), ("windows_path", c_char_p)]


class Range(Structure):
    _fields_ = [("offset", c_uint64), ("length", c_uint64), ("zero", c_uint32),
                ("reserved", c_uint32)]


class TreeImage(Structure):
    _fields_ = [("struct_size", c_size_t), ("path", c_char_p), ("virtual_size", c_uint64),
                ("file_size", c_uint64), ("parent", c_uint64), ("id", c_uint8 * 16),
                ("type", c_uint32), ("dirty", c_uint32), ("fault", c_int),
                ("format", c_char * 16), ("parent_state", c_char * 16)]


class MetadataItem(Structure):
    _fields_ = [("id", c_uint8 * 16), ("length", c_uint64), ("file_offset", c_uint64),
                ("is_user", c_uint32), ("is_virtual_disk", c_uint32), ("is_required", c_uint32),
                ("reserved", c_uint32)]


class _Created(Structure):
    _fields_ = [("id", c_uint8 * 16), ("virtual_size", c_uint64)]


class _Compacted(Structure):
    _fields_ = [("reclaimed_bytes", c_uint64), ("moved_blocks", c_uint64),
                ("old_file_size", c_uint64), ("new_file_size", c_uint64),
                ("no_gain", c_char * 24)]


class _Merged(Structure):
    _fields_ = [("merged_bytes", c_uint64), ("removed_files", c_uint64),
                ("relinked_files", c_uint64)]


class _Resized(Structure):
    _fields_ = [("old_size", c_uint64), ("new_size", c_uint64), ("reclaimed_bytes", c_uint64),
                ("gpt", c_char * 16)]


class _Comparison(Structure):
    _fields_ = [("size_a", c_uint64), ("size_b", c_uint64), ("first_difference", c_uint64),
                ("identical", c_uint32), ("ranges", c_uint64)]


class _Digest(Structure):
    _fields_ = [("virtual_size", c_uint64), ("bytes_hashed", c_uint64),
                ("algorithm", c_char * 32), ("hex", c_char * 72)]


class _Check(Structure):
    _fields_ = [("findings", c_uint64), ("blocks_total", c_uint64),
                ("blocks_allocated", c_uint64), ("bytes_reclaimable", c_uint64),
                ("clean", c_uint32)]


class _Repair(Structure):
    _fields_ = [("findings_before", c_uint64), ("findings_after", c_uint64),
                ("actions", c_uint64), ("changed_bytes", c_uint64), ("applied", c_uint32),
                ("opens_before", c_uint32), ("opens_after", c_uint32)]


class _Salvage(Structure):
    _fields_ = [("id", c_uint8 * 16), ("virtual_size", c_uint64), ("lost_bytes", c_uint64),
                ("lost_ranges", c_uint64), ("assumptions", c_uint64)]


class _Rebased(Structure):
    _fields_ = [("parent_id", c_uint8 * 16), ("identity_changed", c_uint32)]


class _Relinked(Structure):
    _fields_ = [("images", c_uint64), ("links", c_uint64), ("unresolved", c_uint64)]


class _Tree(Structure):
    _fields_ = [("images", c_uint64)]


class _Changes(Structure):
    _fields_ = [("old_size", c_uint64), ("new_size", c_uint64), ("granularity", c_uint64),
                ("changed_bytes", c_uint64), ("ranges", c_uint64)]


class _Manifest(Structure):
    _fields_ = [("virtual_size", c_uint64), ("block_size", c_uint64), ("blocks", c_uint64)]


class _Value(Union):
    _fields_ = [("created", _Created), ("compacted", _Compacted), ("merged", _Merged),
                ("resized", _Resized), ("comparison", _Comparison), ("digest", _Digest),
                ("check", _Check), ("repair", _Repair), ("salvage", _Salvage),
                ("rebased", _Rebased), ("relinked", _Relinked), ("tree", _Tree),
                ("changes", _Changes), ("manifest", _Manifest)]


class Output(Structure):
    _fields_ = [("struct_size", c_size_t), ("type", c_int), ("value", _Value)]


_ERROR = POINTER(c_void_p)
_DISK = c_void_p
_JOB = c_void_p
_OPEN = POINTER(OpenOptions)
_MANIFEST = c_void_p
_ID = POINTER(c_uint8)

# name: (result, arguments)
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "vdisk_version": (c_char_p, []),
    "vdisk_status_name": (c_char_p, [c_int]),
    "vdisk_status_kind": (c_char_p, [c_int]),
    "vdisk_error_status": (c_int, [c_void_p]),
    "vdisk_error_message": (c_char_p, [c_void_p]),
    "vdisk_error_os_error": (c_int, [c_void_p]),
    "vdisk_error_offset": (c_int, [c_void_p, POINTER(c_uint64)]),
    "vdisk_error_free": (None, [c_void_p]),
    "vdisk_disk_open": (c_int, [c_char_p, _OPEN, POINTER(_DISK), _ERROR]),
    "vdisk_disk_close": (c_int, [_DISK, _ERROR]),
    "vdisk_disk_free": (None, [_DISK]),
    "vdisk_disk_size": (c_uint64, [_DISK]),
    "vdisk_disk_logical_sector_size": (c_uint32, [_DISK]),
    "vdisk_disk_depth": (c_size_t, [_DISK]),
    "vdisk_disk_complete": (c_int, [_DISK]),
    "vdisk_disk_layer": (c_int, [_DISK, c_size_t, POINTER(LayerInfo), _ERROR]),
    "vdisk_disk_layer_path": (c_char_p, [_DISK, c_size_t]),
    "vdisk_disk_read": (c_int, [_DISK, c_uint64, c_void_p, c_size_t, _ERROR]),
    "vdisk_disk_write": (c_int, [_DISK, c_uint64, c_void_p, c_size_t, _ERROR]),
    "vdisk_disk_zero": (c_int, [_DISK, c_uint64, c_uint64, _ERROR]),
    "vdisk_disk_discard": (c_int, [_DISK, c_uint64, c_uint64, _ERROR]),
    "vdisk_disk_flush": (c_int, [_DISK, _ERROR]),
    "vdisk_disk_map": (c_int, [_DISK, c_uint64, c_uint64, POINTER(Extent), _ERROR]),
    "vdisk_job_progress": (Progress, [_JOB]),
    "vdisk_job_query_status": (c_int, [_JOB, POINTER(c_uint32)]),
    "vdisk_job_wait": (c_int, [_JOB, _ERROR]),
    "vdisk_job_wait_for": (c_int, [_JOB, c_uint64, _ERROR]),
    "vdisk_job_cancel": (c_int, [_JOB]),
    "vdisk_job_event_fd": (c_int, [_JOB, _ERROR]),
    "vdisk_job_output": (c_int, [_JOB, POINTER(Output)]),
    "vdisk_job_range": (c_int, [_JOB, c_uint64, POINTER(Range)]),
    "vdisk_job_image": (c_int, [_JOB, c_uint64, POINTER(TreeImage)]),
    "vdisk_job_manifest": (c_int, [_JOB, POINTER(_MANIFEST), _ERROR]),
    "vdisk_job_free": (None, [_JOB]),
    "vdisk_create": (c_int, [POINTER(Target), c_uint64, c_char_p, c_char_p, _OPEN, POINTER(_JOB),
                             _ERROR]),
    "vdisk_convert": (c_int, [c_char_p, POINTER(Target), _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_mirror_start": (c_int, [_DISK, POINTER(Target), _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_mirror_break": (c_int, [_JOB]),
    "vdisk_expand": (c_int, [c_char_p, c_uint64, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_shrink": (c_int, [c_char_p, c_uint64, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_resize": (c_int, [c_char_p, c_uint64, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_merge": (c_int, [c_char_p, POINTER(MergeOptions), _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_compact": (c_int, [c_char_p, c_uint32, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_compare": (c_int, [c_char_p, c_char_p, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_hash": (c_int, [c_char_p, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_check": (c_int, [c_char_p, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_repair": (c_int, [c_char_p, c_uint32, c_char_p, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_salvage": (c_int, [c_char_p, POINTER(Target), c_uint64, c_uint32, _OPEN,
                              POINTER(_JOB), _ERROR]),
    "vdisk_rebase": (c_int, [c_char_p, c_char_p, POINTER(RebaseOptions), _OPEN, POINTER(_JOB),
                             _ERROR]),
    "vdisk_tree": (c_int, [c_char_p, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_relink": (c_int, [c_char_p, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_diff": (c_int, [c_char_p, c_char_p, c_uint64, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_make_manifest": (c_int, [c_char_p, c_uint64, c_uint32, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_changes": (c_int, [c_char_p, _MANIFEST, _OPEN, POINTER(_JOB), _ERROR]),
    "vdisk_manifest_new": (c_int, [c_uint64, c_uint64, c_uint32, POINTER(_MANIFEST), _ERROR]),
    "vdisk_manifest_add": (c_int, [_MANIFEST, c_uint64, _ID, _ERROR]),
    "vdisk_manifest_shape": (c_int, [_MANIFEST, POINTER(c_uint64), POINTER(c_uint64),
                                     POINTER(c_uint32)]),
    "vdisk_manifest_count": (c_uint64, [_MANIFEST]),
    "vdisk_manifest_block": (c_int, [_MANIFEST, c_uint64, POINTER(c_uint64), _ID]),
    "vdisk_manifest_free": (None, [_MANIFEST]),
    "vdisk_metadata_list": (c_int, [c_char_p, _OPEN, POINTER(MetadataItem), POINTER(c_uint64),
                                    _ERROR]),
    "vdisk_metadata_get": (c_int, [c_char_p, _ID, c_uint32, _OPEN, c_char_p, POINTER(c_uint64),
                                   _ERROR]),
    "vdisk_metadata_set": (c_int, [c_char_p, _ID, c_char_p, c_uint64, c_uint32, c_uint32, _OPEN,
                                   _ERROR]),
    "vdisk_metadata_remove": (c_int, [c_char_p, _ID, c_uint32, _OPEN, _ERROR]),
}


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(os.environ.get("VDISK_LIBRARY", SONAME))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


library = _load()


class VdiskError(OSError):
    """A refusal of the library: `code` and `kind` are stable names, `offset` a place in a file."""

    code: str
    kind: str
    message: str
    offset: int | None

    def __init__(self, status: int, message: str, os_error: int = 0,
                 offset: int | None = None) -> None:
        super().__init__(os_error or None, message)
        self._given = (status, message, os_error, offset)
        self.code = library.vdisk_status_name(status).decode()
        self.kind = library.vdisk_status_kind(status).decode()
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._given, self.__dict__


def call_with_error(function: Callable[..., int], *arguments: Any) -> None:
    """Calls a function whose last argument is a vdisk_error **; raises what it reports."""
    error = c_void_p()
    status = function(*arguments, byref(error))
    if status != 0:
        raise taken(status, error)


def taken(status: int, error: c_void_p) -> VdiskError:
    offset = c_uint64()
    has_offset = library.vdisk_error_offset(error, byref(offset))
    failure = VdiskError(status, library.vdisk_error_message(error).decode(errors="replace"),
                         library.vdisk_error_os_error(error),
                         offset.value if has_offset else None)
    library.vdisk_error_free(error)
    return failure
