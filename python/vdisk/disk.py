"""Disk: the guest's view of an image and its parents."""
from __future__ import annotations

import ctypes
import os
import uuid
import weakref
from dataclasses import dataclass
from typing import Iterator

from . import _native as native
from ._native import VdiskError, call, library
from ._options import TYPE_NAMES, Path, encoded, open_options, target
from .job import Mirror

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


class Disk:
    """An open disk; a context manager that closes it. Safe for use from several threads.

    Left with an exception, it is dropped as a crash would leave it: what was flushed stays.
    """

    def __init__(self, path: Path, **options) -> None:
        self._handle = ctypes.c_void_p()
        self._mirrors: weakref.WeakSet[Mirror] = weakref.WeakSet()
        handle = ctypes.c_void_p()
        call(library.vdisk_disk_open, encoded(path), ctypes.byref(open_options(**options)),
             ctypes.byref(handle))
        self._handle = handle

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, kind, value, trace) -> None:
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
        handle, self._handle = self._handle, ctypes.c_void_p()
        if not handle:
            return
        try:
            call(library.vdisk_disk_close, handle)
        except VdiskError as error:
            if error.code == "operation_in_progress":
                self._handle = handle
            raise

    def drop(self) -> None:
        """Releases the disk without flushing. Its mirrors are canceled."""
        for mirror in list(getattr(self, "_mirrors", ())):
            mirror.release()
        handle, self._handle = getattr(self, "_handle", None), ctypes.c_void_p()
        if handle:
            library.vdisk_disk_free(handle)

    def _open(self) -> ctypes.c_void_p:
        if not self._handle:
            raise ValueError("the disk is closed")
        return self._handle

    def mirror(self, path: Path, *, format: str | None = None, type: str | None = None,
               block_size: int | None = None, logical_sector_size: int | None = None,
               physical_sector_size: int | None = None, id: uuid.UUID | None = None,
               replace: bool = False) -> Mirror:
        """Copies this disk, which may be used on, and keeps the copy in step until break_off()."""
        wanted = target(path, format=format, type=type, block_size=block_size,
                        logical_sector_size=logical_sector_size,
                        physical_sector_size=physical_sector_size, id=id, replace=replace)
        mirror = Mirror(self, self._open(), wanted)
        self._mirrors.add(mirror)
        return mirror

    def __len__(self) -> int:
        return self.size

    @property
    def size(self) -> int:
        return library.vdisk_disk_size(self._open())

    @property
    def sector_size(self) -> int:
        return library.vdisk_disk_logical_sector_size(self._open())

    @property
    def layers(self) -> list[Layer]:
        """Leaf first."""
        return [self._layer(index) for index in range(library.vdisk_disk_depth(self._open()))]

    def _layer(self, index: int) -> Layer:
        info = native.LayerInfo(struct_size=ctypes.sizeof(native.LayerInfo))
        call(library.vdisk_disk_layer, self._open(), index, ctypes.byref(info))
        path = os.fsdecode(library.vdisk_disk_layer_path(self._open(), index))
        return Layer(path, info.format.decode(), TYPE_NAMES[info.type], info.virtual_size,
                     info.file_size, info.allocated_size, info.block_size,
                     info.logical_sector_size, info.physical_sector_size,
                     uuid.UUID(bytes=bytes(info.id)), bool(info.dirty), bool(info.has_parent))

    def read(self, offset: int, length: int) -> bytes:
        buffer = bytearray(length)
        self.read_into(offset, buffer)
        return bytes(buffer)

    def read_into(self, offset: int, buffer) -> None:
        """Fills a writable buffer (bytearray, memoryview, array, mmap ...) without a copy."""
        view = memoryview(buffer).cast("B")
        array = (ctypes.c_char * len(view)).from_buffer(view)
        call(library.vdisk_disk_read, self._open(), offset, ctypes.addressof(array), len(view))

    def write(self, offset: int, data) -> None:
        """Whole sectors. Durable after the next flush() or close()."""
        view = memoryview(data).cast("B")
        if view.readonly:
            source = (ctypes.c_char * len(view)).from_buffer_copy(view)
        else:
            source = (ctypes.c_char * len(view)).from_buffer(view)
        call(library.vdisk_disk_write, self._open(), offset, ctypes.addressof(source), len(view))

    def zero(self, offset: int, length: int) -> None:
        call(library.vdisk_disk_zero, self._open(), offset, length)

    def discard(self, offset: int, length: int) -> None:
        call(library.vdisk_disk_discard, self._open(), offset, length)

    def flush(self) -> None:
        call(library.vdisk_disk_flush, self._open())

    def extents(self, offset: int = 0, length: int | None = None) -> Iterator[Extent]:
        """The map of a range, resolved through the chain."""
        end = self.size if length is None else offset + length
        while offset < end:
            found = native.Extent()
            call(library.vdisk_disk_map, self._open(), offset, end - offset, ctypes.byref(found))
            state = _STATES[found.state]
            yield Extent(found.offset, found.length, state,
                         found.file_offset if state == "data" else None, found.depth)
            offset += found.length
