"""Jobs: long operations on threads of the library, and what they give."""
from __future__ import annotations

import ctypes
import os
import uuid
from dataclasses import dataclass
from typing import Callable, Generic, Iterator, TypeVar

from . import _native as native
from ._native import VdiskError, call, library, taken
from .manifest import Manifest

Output = TypeVar("Output")

_PENDING = "pending"
_TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class Status:
    """`operation_status` alone tells completion; the values are a quotient while it is pending."""
    operation_status: str
    current_value: int
    completion_value: int

    @property
    def fraction(self) -> float:
        return self.current_value / max(self.completion_value, 1)


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


def _name(status: int) -> str:
    return library.vdisk_status_name(status).decode()


def _ranges(job: ctypes.c_void_p) -> tuple[Range, ...]:
    found, ranges = native.Range(), []
    while library.vdisk_job_range(job, len(ranges), ctypes.byref(found)) == 0:
        ranges.append(Range(found.offset, found.length, bool(found.zero)))
    return tuple(ranges)


def _images(job: ctypes.c_void_p) -> tuple[TreeImage, ...]:
    found, images = native.TreeImage(struct_size=ctypes.sizeof(native.TreeImage)), []
    while library.vdisk_job_image(job, len(images), ctypes.byref(found)) == 0:
        parent = None if found.parent == 2**64 - 1 else found.parent
        fault = None if found.fault == 0 else _name(found.fault)
        images.append(TreeImage(os.fsdecode(found.path), found.format.decode(),
                                found.virtual_size, found.file_size,
                                uuid.UUID(bytes=bytes(found.id)), bool(found.dirty), parent,
                                found.parent_state.decode(), fault))
    return tuple(images)


def _manifest(job: ctypes.c_void_p) -> Manifest | None:
    handle, error = ctypes.c_void_p(), ctypes.c_void_p()
    status = library.vdisk_job_manifest(job, ctypes.byref(handle), ctypes.byref(error))
    if status != 0:
        failure = taken(status, error)
        if failure.code == "not_found":
            return None
        raise failure
    return Manifest._taken(handle)


def _chains_output(output: native.Output, job: ctypes.c_void_p):
    value = output.value
    if output.type == 1005:
        return Rebased(uuid.UUID(bytes=bytes(value.rebased.parent_id)),
                       bool(value.rebased.identity_changed))
    if output.type == 1006:
        found = value.relinked
        return Relinked(found.images, found.links, found.unresolved)
    if output.type == 1007:
        return _images(job)
    if output.type == 1008:
        found = value.changes
        return Changes(found.old_size, found.new_size, found.granularity, found.changed_bytes,
                       _ranges(job), _manifest(job))
    return _manifest(job)


def _output(output: native.Output, job: ctypes.c_void_p):
    value = output.value
    if output.type >= 1005:
        return _chains_output(output, job)
    if output.type in (5, 200):
        return Created(uuid.UUID(bytes=bytes(value.created.id)), value.created.virtual_size)
    if output.type == 202:
        found = value.compacted
        return Compacted(found.reclaimed_bytes, found.moved_blocks, found.old_file_size,
                         found.new_file_size, found.no_gain.decode())
    if output.type == 203:
        return Merged(value.merged.merged_bytes)
    if output.type == 204:
        found = value.resized
        return Resized(found.old_size, found.new_size, found.reclaimed_bytes, found.gpt.decode())
    if output.type == 1000:
        found = value.comparison
        first = None if found.identical else found.first_difference
        return Comparison(bool(found.identical), first, found.size_a, found.size_b)
    if output.type == 1001:
        found = value.digest
        return Digest(found.algorithm.decode(), found.hex.decode(), found.virtual_size,
                      found.bytes_hashed)
    if output.type == 1003:
        found = value.repair
        return Repaired(bool(found.applied), found.findings_before, found.findings_after,
                        found.actions, found.changed_bytes, bool(found.opens_before),
                        bool(found.opens_after))
    if output.type == 1004:
        found = value.salvage
        return Salvaged(uuid.UUID(bytes=bytes(found.id)), found.virtual_size, found.lost_bytes,
                        found.lost_ranges, found.assumptions, _ranges(job))
    found = value.check
    return Checked(bool(found.clean), found.findings, found.blocks_total, found.blocks_allocated,
                   found.bytes_reclaimable)


class Job(Generic[Output]):
    """A running operation.

    As a context manager it ends with the block: canceled if it still runs. Iterating gives a Status
    now and then until the operation has ended.

        with vdisk.convert("a.vhd", "b.vhdx") as job:
            for status in job:
                print(f"{status.fraction:.0%}")
            result = job.wait()
    """

    def __init__(self, start: Callable, *arguments) -> None:
        self._handle = ctypes.c_void_p()
        handle = ctypes.c_void_p()
        call(start, *arguments, ctypes.byref(handle))
        self._handle = handle

    def __enter__(self) -> Job[Output]:
        return self

    def __exit__(self, kind, value, trace) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()

    def release(self) -> None:
        """Cancels the operation if it still runs, and waits for its thread."""
        handle, self._handle = getattr(self, "_handle", None), ctypes.c_void_p()
        if handle:
            library.vdisk_job_free(handle)

    def _running(self) -> ctypes.c_void_p:
        if not self._handle:
            raise ValueError("the job was released")
        return self._handle

    @property
    def status(self) -> Status:
        progress = library.vdisk_job_progress(self._running())
        return Status(_name(progress.operation_status), progress.current_value,
                      progress.completion_value)

    def __iter__(self) -> Iterator[Status]:
        return self.progress()

    def progress(self, interval: float = 0.1) -> Iterator[Status]:
        """A status every `interval` seconds, and the final one. Raises nothing: wait() does."""
        while True:
            status = self.status
            yield status
            if status.operation_status != _PENDING:
                return
            library.vdisk_job_wait_for(self._running(), int(interval * 1000), None)

    def wait(self, timeout: float | None = None) -> Output:
        """The output. Raises VdiskError when the operation failed, TimeoutError in time."""
        error = ctypes.c_void_p()
        if timeout is None:
            status = library.vdisk_job_wait(self._running(), ctypes.byref(error))
        else:
            status = library.vdisk_job_wait_for(self._running(), int(timeout * 1000),
                                                ctypes.byref(error))
        if status != 0:
            failure = taken(status, error)
            if failure.code == _TIMED_OUT:
                raise TimeoutError(failure.message)
            raise failure
        output = native.Output(struct_size=ctypes.sizeof(native.Output))
        status = library.vdisk_job_output(self._running(), ctypes.byref(output))
        if status != 0:
            raise VdiskError(status, "the job has no output")
        return _output(output, self._running())

    def cancel(self) -> str:
        """"canceled", "already_canceled", or "too_late"."""
        return _name(library.vdisk_job_cancel(self._running()))

    def fileno(self) -> int:
        """Readable when the operation has ended: for select, poll and event loops."""
        error = ctypes.c_void_p()
        descriptor = library.vdisk_job_event_fd(self._running(), ctypes.byref(error))
        if descriptor < 0:
            raise taken(1, error)
        return descriptor


class Mirror(Job[Created]):
    """A copy that follows a disk; it ends with break_off() or a cancel.

        with vdisk.Disk("disk.vhdx", writable=True) as disk:
            with disk.mirror("copy.vhdx") as mirror:
                disk.write(0, data)
                mirror.break_off()
                mirror.wait()
    """

    def __init__(self, disk, handle: ctypes.c_void_p, wanted: native.Target) -> None:
        self._disk = disk  # it must outlive the operation
        super().__init__(library.vdisk_mirror_start, handle, ctypes.byref(wanted), None)

    @property
    def in_step(self) -> bool:
        status = self.status
        return (status.operation_status == _PENDING
                and status.current_value == status.completion_value)

    def break_off(self) -> None:
        """The copy is completed, with every change that returned before, and gets its name."""
        library.vdisk_mirror_break(self._running())
