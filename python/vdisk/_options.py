"""Keyword arguments as structures of the C interface."""
from __future__ import annotations

import ctypes
import os
import uuid
from typing import Iterable, Union

from . import _native as native

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

READ_LOGS = {"automatic": 0, "replay": 1, "memory": 2, "require-clean": 3, "ignore": 4}
TYPES = {None: 0, "fixed": 1, "dynamic": 2, "differencing": 3}
TYPE_NAMES = {number: name for name, number in TYPES.items() if name}


def encoded(path: Path | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def chosen(choices: dict, value, what: str) -> int:
    if value in choices:
        return choices[value]
    names = ", ".join(str(name) for name in choices if name)
    raise ValueError(f"{what}: {value!r}, expected one of {names}")


def open_options(*, writable: bool = False, parents: bool = True, read_log: str = "automatic",
                 lock: bool = True, format: str | None = None, parent: Path | None = None,
                 parent_roots: Iterable[Path] = (), allow_device: bool = False,
                 metadata_cache_bytes: int = 0) -> native.OpenOptions:
    """How images are found. `parents`: follow links to parents beside the child."""
    options = native.OpenOptions(struct_size=ctypes.sizeof(native.OpenOptions))
    options.access = 1 if writable else 0
    options.read_log = chosen(READ_LOGS, read_log, "read_log")
    options.parents = 1 if parents else 0
    options.no_lock = 0 if lock else 1
    options.allow_device = 1 if allow_device else 0
    options.format = None if format is None else format.encode()
    options.parent = encoded(parent)
    roots = [encoded(root) for root in parent_roots]
    options.parent_roots = (ctypes.c_char_p * (len(roots) + 1))(*roots, None)
    options.metadata_cache_bytes = metadata_cache_bytes
    return options


def target(path: Path, *, format: str | None, type: str | None, block_size: int | None,
           logical_sector_size: int | None, physical_sector_size: int | None,
           id: uuid.UUID | None, replace: bool) -> native.Target:
    result = native.Target(struct_size=ctypes.sizeof(native.Target))
    result.path = encoded(path)
    result.format = None if format is None else format.encode()
    result.type = chosen(TYPES, type, "type")
    result.block_size = block_size or 0
    result.logical_sector_size = logical_sector_size or 0
    result.physical_sector_size = physical_sector_size or 0
    if id is not None:
        result.id = (ctypes.c_uint8 * 16)(*id.bytes)
    result.replace = 1 if replace else 0
    return result
