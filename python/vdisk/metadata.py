"""Metadata of an image: small items beside the guest's data."""
from __future__ import annotations

import ctypes
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import _native as native
from ._native import call_with_error, library
from ._options import Buffer, ImageOptions, Path, encoded, open_options

if TYPE_CHECKING:
    from ._options import Unpack

_MAX_ITEMS = 2048  # what the format allows
_MAX_LENGTH = 1 << 20


@dataclass(frozen=True)
class Item:
    id: uuid.UUID
    length: int
    is_user: bool  #: of an application; the others belong to the format
    is_virtual_disk: bool  #: describes the disk: children inherit it
    is_required: bool


def _bytes_of(id: uuid.UUID) -> ctypes.Array[ctypes.c_uint8]:
    return (ctypes.c_uint8 * 16)(*id.bytes)


def list_metadata(path: Path, **options: Unpack[ImageOptions]) -> list[Item]:
    """The items of an image, those of its format, too."""
    items = (native.MetadataItem * _MAX_ITEMS)()
    count = ctypes.c_uint64(_MAX_ITEMS)
    call_with_error(library.vdisk_metadata_list, encoded(path),
                    ctypes.byref(open_options(**options)), items, ctypes.byref(count))
    return [Item(uuid.UUID(bytes=bytes(item.id)), item.length, bool(item.is_user),
                 bool(item.is_virtual_disk), bool(item.is_required))
            for item in items[:count.value]]


def get_metadata(path: Path, id: uuid.UUID, *, is_user: bool = True,
                 **options: Unpack[ImageOptions]) -> bytes:
    """The content of an item."""
    data, length = ctypes.create_string_buffer(_MAX_LENGTH), ctypes.c_uint64(_MAX_LENGTH)
    call_with_error(library.vdisk_metadata_get, encoded(path), _bytes_of(id), int(is_user),
                    ctypes.byref(open_options(**options)), data, ctypes.byref(length))
    return data.raw[:length.value]


def set_metadata(path: Path, id: uuid.UUID, content: Buffer, *, is_virtual_disk: bool = False,
                 force: bool = False, **options: Unpack[ImageOptions]) -> None:
    """Adds or replaces a user item; durable when it returns."""
    data = memoryview(content).tobytes()
    call_with_error(library.vdisk_metadata_set, encoded(path), _bytes_of(id), data, len(data),
                    int(is_virtual_disk), int(force), ctypes.byref(open_options(**options)))


def remove_metadata(path: Path, id: uuid.UUID, *, force: bool = False,
                    **options: Unpack[ImageOptions]) -> None:
    """Removes a user item; durable when it returns."""
    call_with_error(library.vdisk_metadata_remove, encoded(path), _bytes_of(id), int(force),
                    ctypes.byref(open_options(**options)))
