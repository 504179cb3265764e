"""Manifests: the digests of all blocks of a disk that are not zero."""
from __future__ import annotations

import ctypes
import weakref
from typing import Any, Iterable, Iterator

from ._native import call_with_error, library, unsigned

_SMALLEST_BLOCK = 4 << 10
_LARGEST_BLOCK = 256 << 20


class Manifest:
    """Made by make_manifest() and changes(), or from what was stored of another one.

        stored = (manifest.virtual_size, manifest.block_size, manifest.sha256, list(manifest))
        loaded = vdisk.Manifest(*stored)

    Never changed, so that threads may share it; copied and pickled by its blocks.
    """

    virtual_size: int
    block_size: int
    sha256: bool

    def __init__(self, virtual_size: int, block_size: int, sha256: bool = False,
                 blocks: Iterable[tuple[int, bytes]] = ()) -> None:
        size = unsigned(virtual_size, 64, "virtual_size")
        block = unsigned(block_size, 64, "block_size")
        if not _SMALLEST_BLOCK <= block <= _LARGEST_BLOCK or block & (block - 1):
            raise ValueError(f"block_size: {block}, expected a power of two, 4 KiB to 256 MiB")
        handle = ctypes.c_void_p()
        call_with_error(library.vdisk_manifest_new, size, block, int(bool(sha256)),
                        ctypes.byref(handle))
        self._take(handle)
        for index, digest in blocks:
            if len(digest) != self.digest_length:
                raise ValueError(f"a digest of {len(digest)} bytes, expected {self.digest_length}")
            data = (ctypes.c_uint8 * len(digest)).from_buffer_copy(digest)
            call_with_error(library.vdisk_manifest_add, handle, unsigned(index, 64, "index"), data)

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
        self.virtual_size = size.value
        self.block_size = block_size.value
        self.sha256 = bool(sha256.value)
        weakref.finalize(self, library.vdisk_manifest_free, handle)

    def __reduce__(self) -> tuple[Any, ...]:
        return Manifest, (self.virtual_size, self.block_size, self.sha256, list(self))

    @property
    def digest_length(self) -> int:
        return 32 if self.sha256 else 16

    def __len__(self) -> int:
        count: int = library.vdisk_manifest_count(self._handle)
        return count

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Index of the block, and its digest; blocks of zeros are left out."""
        index, digest = ctypes.c_uint64(), (ctypes.c_uint8 * 32)()
        for position in range(len(self)):
            library.vdisk_manifest_block(self._handle, position, ctypes.byref(index), digest)
            yield index.value, bytes(digest)[:self.digest_length]
