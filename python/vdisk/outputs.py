"""What the operations give: one class for each type of output, and how it is read from C."""
from __future__ import annotations

import ctypes
import os
import uuid
from dataclasses import dataclass
from typing import Any, Callable

from . import _native as native
from ._native import VdiskError, call_with_error, library
from .manifest import Manifest


@dataclass(frozen=True)
class Created:
    id: uuid.UUID
    virtual_size: int


@dataclass(frozen=True)
class Compacted:
    reclaimed_bytes: int
    moved_blocks: int
    old_file_size: int
    new_file_size: int
    no_gain: str


@dataclass(frozen=True)
class Merged:
    merged_bytes: int


@dataclass(frozen=True)
class Resized:
    old_size: int
    new_size: int
    reclaimed_bytes: int
    gpt: str  #: the backup of a GUID partition table: "none", "at_end", "moved", "left_behind"


@dataclass(frozen=True)
class Comparison:
    identical: bool
    first_difference: int | None
    size_a: int
    size_b: int


@dataclass(frozen=True)
class Digest:
    algorithm: str
    hex: str
    virtual_size: int
    bytes_hashed: int


@dataclass(frozen=True)
class Checked:
    clean: bool
    findings: int
    blocks_total: int
    blocks_allocated: int
    bytes_reclaimable: int


@dataclass(frozen=True)
class Repaired:
    applied: bool
    findings_before: int
    findings_after: int
    actions: int
    changed_bytes: int
    opens_before: bool
    opens_after: bool


@dataclass(frozen=True)
class Salvaged:
    id: uuid.UUID
    virtual_size: int
    lost_bytes: int
    lost_ranges: int
    assumptions: int
    lost: tuple[Range, ...]  #: where; the last of very many may be missing


@dataclass(frozen=True)
class Rebased:
    parent_id: uuid.UUID
    identity_changed: bool


@dataclass(frozen=True)
class Relinked:
    images: int
    links: int
    unresolved: int


@dataclass(frozen=True)
class Range:
    offset: int
    length: int
    zero: bool


@dataclass(frozen=True)
class Changes:
    """What must be copied; `now` is the manifest of the disk as it is, where one was made."""
    old_size: int
    new_size: int
    granularity: int
    changed_bytes: int
    ranges: tuple[Range, ...]
    now: Manifest | None


@dataclass(frozen=True)
class TreeImage:
    path: str
    format: str
    virtual_size: int
    file_size: int
    id: uuid.UUID
    dirty: bool
    parent: int | None  #: position in the list
    parent_state: str
    fault: str | None  #: why it cannot be opened


def status_name(status: int) -> str:
    name: bytes = library.vdisk_status_name(status)
    return name.decode()


def _ranges(job: ctypes.c_void_p) -> tuple[Range, ...]:
    found = native.Range()
    ranges: list[Range] = []
    while library.vdisk_job_range(job, len(ranges), ctypes.byref(found)) == 0:
        ranges.append(Range(found.offset, found.length, bool(found.zero)))
    return tuple(ranges)


def _images(job: ctypes.c_void_p) -> tuple[TreeImage, ...]:
    found = native.TreeImage(struct_size=ctypes.sizeof(native.TreeImage))
    images: list[TreeImage] = []
    while library.vdisk_job_image(job, len(images), ctypes.byref(found)) == 0:
        parent = None if found.parent == 2**64 - 1 else found.parent
        fault = None if found.fault == 0 else status_name(found.fault)
        images.append(TreeImage(os.fsdecode(found.path), found.format.decode(),
                                found.virtual_size, found.file_size,
                                uuid.UUID(bytes=bytes(found.id)), bool(found.dirty), parent,
                                found.parent_state.decode(), fault))
    return tuple(images)


def _manifest(job: ctypes.c_void_p) -> Manifest | None:
    handle = ctypes.c_void_p()
    try:
        call_with_error(library.vdisk_job_manifest, job, ctypes.byref(handle))
    except VdiskError as failure:
        if failure.code == "not_found":
            return None
        raise
    return Manifest._taken(handle)


def _created(value: Any, job: ctypes.c_void_p) -> Created:
    return Created(uuid.UUID(bytes=bytes(value.created.id)), value.created.virtual_size)


def _compacted(value: Any, job: ctypes.c_void_p) -> Compacted:
    found = value.compacted
    return Compacted(found.reclaimed_bytes, found.moved_blocks, found.old_file_size,
                     found.new_file_size, found.no_gain.decode())


def _merged(value: Any, job: ctypes.c_void_p) -> Merged:
    return Merged(value.merged.merged_bytes)


def _resized(value: Any, job: ctypes.c_void_p) -> Resized:
    found = value.resized
    return Resized(found.old_size, found.new_size, found.reclaimed_bytes, found.gpt.decode())


def _comparison(value: Any, job: ctypes.c_void_p) -> Comparison:
    found = value.comparison
    first = None if found.identical else found.first_difference
    return Comparison(bool(found.identical), first, found.size_a, found.size_b)


def _digest(value: Any, job: ctypes.c_void_p) -> Digest:
    found = value.digest
    return Digest(found.algorithm.decode(), found.hex.decode(), found.virtual_size,
                  found.bytes_hashed)


def _checked(value: Any, job: ctypes.c_void_p) -> Checked:
    found = value.check
    return Checked(bool(found.clean), found.findings, found.blocks_total, found.blocks_allocated,
                   found.bytes_reclaimable)


def _repaired(value: Any, job: ctypes.c_void_p) -> Repaired:
    found = value.repair
    return Repaired(bool(found.applied), found.findings_before, found.findings_after,
                    found.actions, found.changed_bytes, bool(found.opens_before),
                    bool(found.opens_after))


def _salvaged(value: Any, job: ctypes.c_void_p) -> Salvaged:
    found = value.salvage
    return Salvaged(uuid.UUID(bytes=bytes(found.id)), found.virtual_size, found.lost_bytes,
                    found.lost_ranges, found.assumptions, _ranges(job))


def _rebased(value: Any, job: ctypes.c_void_p) -> Rebased:
    return Rebased(uuid.UUID(bytes=bytes(value.rebased.parent_id)),
                   bool(value.rebased.identity_changed))


def _relinked(value: Any, job: ctypes.c_void_p) -> Relinked:
    found = value.relinked
    return Relinked(found.images, found.links, found.unresolved)


def _changes(value: Any, job: ctypes.c_void_p) -> Changes:
    found = value.changes
    return Changes(found.old_size, found.new_size, found.granularity, found.changed_bytes,
                   _ranges(job), _manifest(job))


# Numbers of vdisk_output_type.
_READERS: dict[int, Callable[[Any, ctypes.c_void_p], Any]] = {
    3: _resized,  # a shrink, by the number of VDS
    5: _created,
    200: _created,
    202: _compacted,
    203: _merged,
    204: _resized,
    1000: _comparison,
    1001: _digest,
    1002: _checked,
    1003: _repaired,
    1004: _salvaged,
    1005: _rebased,
    1006: _relinked,
    1007: lambda value, job: _images(job),
    1008: _changes,
    1009: lambda value, job: _manifest(job),
}


def output_of(job: ctypes.c_void_p) -> tuple[int, Any]:
    """The status of a job, and its output if that is success. Texts of it live as long as the job.
    """
    output = native.Output(struct_size=ctypes.sizeof(native.Output))
    status: int = library.vdisk_job_output(job, ctypes.byref(output))
    if status != 0:
        return status, None
    return status, _READERS[output.type](output.value, job)
