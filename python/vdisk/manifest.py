"""Manifests: the digests of all blocks of a disk that are not zero."""
from __future__ import annotations

import ctypes
import weakref
from typing import Iterable, Iterator

from ._native import call, library


class Manifest:
    """Made by make_manifest() and changes(), or from what was stored of another one.

        stored = (manifest.virtual_size, manifest.block_size, manifest.sha256, list(manifest))
        loaded = vdisk.Manifest(*stored)
    """

    def __init__(self, virtual_size: int, block_size: int, sha256: bool = False,
                 blocks: Iterable[tuple[int, bytes]] = ()) -> None:
        handle = ctypes.c_void_p()
        call(library.vdisk_manifest_new, virtual_size, block_size, int(sha256),
             ctypes.byref(handle))
        self._take(handle)
        for index, digest in blocks:
            if len(digest) != self.digest_length:
                raise ValueError(f"a digest of {len(digest)} bytes, expected {self.digest_length}")
            data = (ctypes.c_uint8 * len(digest)).from_buffer_copy(digest)
            call(library.vdisk_manifest_add, handle, index, data)

    @classmethod
    def _taken(cls, handle: ctypes.c_void_p) -> Manifest:
        manifest = cls.__new__(cls)
        manifest._take(handle)
        return manifest

    def _take(self, handle: ctypes.c_void_p) -> None:
        size, block_size, sha256 = ctypes.c_uint64(), ctypes.c_uint64(), ctypes.c_uint32()
        library.vdisk_manifest_shape(handle, ctypes.byref(size), ctypes.byref(block_size),
                                     ctypes.byref(sha256))
        self._handle = handle
        self.virtual_size: int = size.value
        self.block_size: int = block_size.value
        self.sha256 = bool(sha256.value)
        weakref.finalize(self, library.vdisk_manifest_free, handle)

    @property
    def digest_length(self) -> int:
        return 32 if self.sha256 else 16

    def __len__(self) -> int:
        return library.vdisk_manifest_count(self._handle)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Index of the block, and its digest; blocks of zeros are left out."""
        index, digest = ctypes.c_uint64(), (ctypes.c_uint8 * 32)()
        for position in range(len(self)):
            library.vdisk_manifest_block(self._handle, position, ctypes.byref(index), digest)
            yield index.value, bytes(digest)[:self.digest_length]
