"""Keyword arguments as structures of the C interface."""
from __future__ import annotations

import array
import ctypes
import mmap
import os
import sys
import uuid
from typing import TYPE_CHECKING, Any, Iterable, Literal, Mapping, TypedDict, Union

from . import _native as native

if TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Paths = Union[Path, Iterable[Path]]
ReadLog = Literal["automatic", "replay", "memory", "require-clean", "ignore"]
ImageType = Literal["fixed", "dynamic", "differencing"]
if sys.version_info >= (3, 12):
    from collections.abc import Buffer as Buffer
else:  # what the standard library has; others with the buffer protocol serve as well
    Buffer = Union[bytes, bytearray, memoryview, mmap.mmap, "array.array[Any]",
                   "ctypes.Array[Any]"]

READ_LOGS = {"automatic": 0, "replay": 1, "memory": 2, "require-clean": 3, "ignore": 4}
TYPES = {None: 0, "fixed": 1, "dynamic": 2, "differencing": 3}
TYPE_NAMES = {number: name for name, number in TYPES.items() if name}


class OpenOptions(TypedDict, total=False):
    """How the images of an operation are found and read; keyword arguments of all of them."""
    parents: bool  #: follow links to parents below the child's folder and the roots; default True
    parent_roots: Paths  #: folders where parents may be, too
    read_log: ReadLog  #: what to do about a dirty log of a VHDX; default "automatic"
    lock: bool  #: default True; without is unsafe
    allow_device: bool  #: block devices are images, too
    vhd_size_by_chs: bool  #: the size of a VHD is that of its geometry
    metadata_cache_bytes: int  #: for each image; 0: 8 MiB


class FormatOptions(OpenOptions, total=False):
    """The same where the format is not that of an image to be made."""
    format: str | None  #: "vhd", "vhdx", "raw"; None: by content


class ImageOptions(FormatOptions, total=False):
    """The same for operations on one image."""
    parent: Path | None  #: the image's parent itself; its identity is checked


def encoded(path: Path) -> bytes:
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError(f"a path with a null character: {path!r}")
    return name


def encoded_if(path: Path | None) -> bytes | None:
    return None if path is None else encoded(path)


def text(value: str | None, name: str) -> bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name}: {type(value).__name__}, expected str")
    if "\0" in value:
        raise ValueError(f"{name} with a null character: {value!r}")
    return value.encode()


def chosen(choices: Mapping[Any, int], value: str | None, what: str) -> int:
    if value in choices:
        return choices[value]
    names = ", ".join(str(name) for name in choices if name)
    raise ValueError(f"{what}: {value!r}, expected one of {names}")


def _roots(roots: Paths) -> list[bytes]:
    if isinstance(roots, (str, bytes, os.PathLike)):
        return [encoded(roots)]
    return [encoded(root) for root in roots]


def open_options(*, writable: bool = False, parents: bool = True, parent_roots: Paths = (),
                 read_log: ReadLog = "automatic", lock: bool = True, format: str | None = None,
                 parent: Path | None = None, allow_device: bool = False,
                 vhd_size_by_chs: bool = False,
                 metadata_cache_bytes: int = 0) -> native.OpenOptions:
    options = native.OpenOptions()
    options.access = 1 if writable else 0
    options.read_log = chosen(READ_LOGS, read_log, "read_log")
    options.parents = 1 if parents else 0
    options.no_lock = 0 if lock else 1
    options.vhd_size_by_chs = 1 if vhd_size_by_chs else 0
    options.allow_device = 1 if allow_device else 0
    options.format = text(format, "format")
    options.parent = encoded_if(parent)
    roots = _roots(parent_roots)
    options.parent_roots = (ctypes.c_char_p * (len(roots) + 1))(*roots, None)
    options.metadata_cache_bytes = metadata_cache_bytes
    return options


def target(path: Path, *, format: str | None = None, type: ImageType | None = None,
           block_size: int | None = None, logical_sector_size: int | None = None,
           physical_sector_size: int | None = None, id: uuid.UUID | None = None,
           replace: bool = False) -> native.Target:
    result = native.Target()
    result.path = encoded(path)
    result.format = text(format, "format")
    result.type = chosen(TYPES, type, "type")
    result.block_size = block_size or 0
    result.logical_sector_size = logical_sector_size or 0
    result.physical_sector_size = physical_sector_size or 0
    if id is not None:
        result.id = (ctypes.c_uint8 * 16)(*id.bytes)
    result.replace = 1 if replace else 0
    return result
