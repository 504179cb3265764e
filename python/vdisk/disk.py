"""Disk: the guest's view of an image and its parents."""
from __future__ import annotations

import ctypes
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Iterator

from . import _native as native
from ._handle import Handle, NoCopies, disk_handle
from ._native import END_OF_FILE, VdiskError, call_with_error, library, unsigned
from ._options import (TYPE_NAMES, Buffer, ImageType, Path, Paths, ReadLog, encoded, open_options,
                       target)
from .job import Mirror

if TYPE_CHECKING:
    from types import TracebackType

_STATES = ("data", "zero", "absent")


@dataclass(frozen=True)
class Extent:
    """A run of the disk in one state; `file_offset` and `depth` mean something for data."""
    offset: int
    length: int
    state: str
    file_offset: int | None
    depth: int


@dataclass(frozen=True)
class Layer:
    """One image of the chain, as its headers describe it."""
    path: str
    format: str
    type: str
    virtual_size: int
    file_size: int
    allocated_size: int
    block_size: int
    logical_sector_size: int
    physical_sector_size: int
    id: uuid.UUID
    dirty: bool
    has_parent: bool


def _layer_of(disk: ctypes.c_void_p, index: int) -> Layer:
    """Inside one call, for the path lives as long as the disk."""
    info = native.LayerInfo(struct_size=ctypes.sizeof(native.LayerInfo))
    call_with_error(library.vdisk_disk_layer, disk, index, ctypes.byref(info))
    path = os.fsdecode(library.vdisk_disk_layer_path(disk, index))
    return Layer(path, info.format.decode(), TYPE_NAMES[info.type], info.virtual_size,
                 info.file_size, info.allocated_size, info.block_size, info.logical_sector_size,
                 info.physical_sector_size, uuid.UUID(bytes=bytes(info.id)), bool(info.dirty),
                 bool(info.has_parent))


def _close(disk: ctypes.c_void_p) -> None:
    call_with_error(library.vdisk_disk_close, disk)


class Disk(NoCopies):
    """An open disk; a context manager that closes it. Every method may be called from several
    threads: close() and drop() wait for the calls that run, and later ones raise ValueError.

    Left with an exception, it is dropped as a crash would leave it: what was flushed stays.
    """

    _handle: Handle

    def __init__(self, path: Path, *, writable: bool = False, parents: bool = True,
                 parent_roots: Paths = (), read_log: ReadLog = "automatic", lock: bool = True,
                 format: str | None = None, parent: Path | None = None,
                 allow_device: bool = False, vhd_size_by_chs: bool = False,
                 metadata_cache_bytes: int = 0) -> None:
        """`parents`: follow links to parents below the child's folder and `parent_roots` (one
        folder, or several). `parent`: the image's parent itself; its identity is checked."""
        options = open_options(
            writable=writable, parents=parents, parent_roots=parent_roots, read_log=read_log,
            lock=lock, format=format, parent=parent, allow_device=allow_device,
            vhd_size_by_chs=vhd_size_by_chs, metadata_cache_bytes=metadata_cache_bytes)
        pointer = ctypes.c_void_p()
        call_with_error(library.vdisk_disk_open, encoded(path), ctypes.byref(options),
                        ctypes.byref(pointer))
        self._handle = disk_handle(pointer)

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.drop()

    def __del__(self) -> None:
        self.drop()

    def close(self) -> None:
        """Flushes and marks the image clean. Nothing happens the second time.

        Refused (operation_in_progress) while the disk is mirrored.
        """
        self._handle.end(_close)

    def drop(self) -> None:
        """Releases the disk without flushing. Its mirrors are canceled."""
        if hasattr(self, "_handle"):
            self._handle.free()

    def mirror(self, path: Path, *, format: str | None = None, type: ImageType | None = None,
               block_size: int | None = None, logical_sector_size: int | None = None,
               physical_sector_size: int | None = None, id: uuid.UUID | None = None,
               replace: bool = False) -> Mirror:
        """Copies this disk, which may be used on, and keeps the copy in step until break_off()."""
        wanted = target(path, format=format, type=type, block_size=block_size,
                        logical_sector_size=logical_sector_size,
                        physical_sector_size=physical_sector_size, id=id, replace=replace)
        return Mirror(self, self._handle, wanted)

    def __len__(self) -> int:
        return self.size

    @property
    def size(self) -> int:
        size: int = self._handle.call(library.vdisk_disk_size)
        return size

    @property
    def sector_size(self) -> int:
        size: int = self._handle.call(library.vdisk_disk_logical_sector_size)
        return size

    @property
    def layers(self) -> list[Layer]:
        """Leaf first."""
        depth: int = self._handle.call(library.vdisk_disk_depth)
        return [self._handle.call(_layer_of, index) for index in range(depth)]

    def read(self, offset: int, length: int) -> bytes:
        """Any range inside the disk."""
        buffer = bytearray(length)
        self.read_into(offset, buffer)
        return bytes(buffer)

    def read_into(self, offset: int, buffer: Buffer) -> None:
        """Fills a writable buffer (bytearray, memoryview, array, mmap ...) without a copy."""
        place = unsigned(offset, 64, "offset")
        with memoryview(buffer) as whole, whole.cast("B") as view:
            array = (ctypes.c_char * len(view)).from_buffer(view)
            try:
                self._handle.checked_call(library.vdisk_disk_read, place,
                                          ctypes.addressof(array), len(view))
            finally:
                del array  # or an exception's traceback would keep the caller's buffer pinned

    def write(self, offset: int, data: Buffer) -> None:
        """Whole sectors. Durable after the next flush() or close()."""
        place = unsigned(offset, 64, "offset")
        if isinstance(data, bytes):
            self._handle.checked_call(library.vdisk_disk_write, place, data, len(data))
            return
        with memoryview(data) as whole, whole.cast("B") as view:
            kind = ctypes.c_char * len(view)
            source = kind.from_buffer_copy(view) if view.readonly else kind.from_buffer(view)
            try:
                self._handle.checked_call(library.vdisk_disk_write, place,
                                          ctypes.addressof(source), len(view))
            finally:
                del source

    def zero(self, offset: int, length: int) -> None:
        """Whole sectors, which read as zeros afterwards."""
        self._change(library.vdisk_disk_zero, offset, length)

    def discard(self, offset: int, length: int) -> None:
        """Whole sectors whose content is not needed: they read as zeros or as before."""
        self._change(library.vdisk_disk_discard, offset, length)

    def _change(self, function: Any, offset: int, length: int) -> None:
        self._handle.checked_call(function, unsigned(offset, 64, "offset"),
                                  unsigned(length, 64, "length"))

    def flush(self) -> None:
        """What was written before survives a crash from now on."""
        self._handle.checked_call(library.vdisk_disk_flush)

    def extents(self, offset: int = 0, length: int | None = None) -> Iterator[Extent]:
        """The map of a range, resolved through the chain."""
        size = self.size
        begin = unsigned(offset, 64, "offset")
        end = size if length is None else begin + unsigned(length, 64, "length")
        if begin > size or end > size:
            raise VdiskError(END_OF_FILE, f"extents to {max(begin, end):#x}: the disk ends at "
                                          f"{size:#x}")
        return self._extents(begin, end)

    def _extents(self, offset: int, end: int) -> Iterator[Extent]:
        while offset < end:
            found = native.Extent()
            self._handle.checked_call(library.vdisk_disk_map, offset, end - offset,
                                      ctypes.byref(found))
            state = _STATES[found.state]
            yield Extent(found.offset, found.length, state,
                         found.file_offset if state == "data" else None, found.depth)
            offset += found.length
