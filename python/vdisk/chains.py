"""Trees of images, links between them, and what has changed; the functions start Jobs."""
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from . import _native as native
from ._native import library, unsigned
from ._options import (FormatOptions, ImageOptions, OpenOptions, Path, encoded, open_options,
                       text)
from .job import Job
from .manifest import Manifest
from .outputs import Changes, Rebased, Relinked, TreeImage

if TYPE_CHECKING:
    from ._options import Unpack


def tree(directory: Path, *, recursive: bool = True,
         **options: Unpack[OpenOptions]) -> Job[tuple[TreeImage, ...]]:
    """Which images below a directory belong to which."""
    return Job(library.vdisk_tree, encoded(directory), 0 if recursive else 1,
               ctypes.byref(open_options(**options)))


def relink(directory: Path, *, recursive: bool = True, dry_run: bool = False,
           **options: Unpack[OpenOptions]) -> Job[Relinked]:
    """Links children whose parent has moved to the one file that has its identity."""
    flags = (0 if recursive else 1) + 2 * int(dry_run)
    return Job(library.vdisk_relink, encoded(directory), flags,
               ctypes.byref(open_options(**options)))


def rebase(child: Path, parent: Path, *, force_identity: bool = False, digest: str | None = None,
           windows_path: str | None = None, dry_run: bool = False,
           **options: Unpack[FormatOptions]) -> Job[Rebased]:
    """Gives a child another file as its parent; `force_identity` only with a proof."""
    wanted = native.RebaseOptions(force_identity=int(force_identity), dry_run=int(dry_run),
                                  digest=text(digest, "digest"),
                                  windows_path=text(windows_path, "windows_path"))
    return Job(library.vdisk_rebase, encoded(child), encoded(parent), ctypes.byref(wanted),
               ctypes.byref(open_options(**options)))


def diff(a: Path, b: Path, *, granularity: int = 0,
         **options: Unpack[FormatOptions]) -> Job[Changes]:
    """What must be copied to turn `a` into `b`."""
    return Job(library.vdisk_diff, encoded(a), encoded(b), unsigned(granularity, 64, "granularity"),
               ctypes.byref(open_options(**options)))


def make_manifest(path: Path, *, block_size: int = 0, sha256: bool = False,
                  **options: Unpack[ImageOptions]) -> Job[Manifest]:
    """Digests of all blocks, to know later what has changed."""
    return Job(library.vdisk_make_manifest, encoded(path), unsigned(block_size, 64, "block_size"),
               int(sha256), ctypes.byref(open_options(**options)))


def changes(path: Path, since: Manifest, **options: Unpack[ImageOptions]) -> Job[Changes]:
    """What changed since a manifest was made."""
    return Job(library.vdisk_changes, encoded(path), since._handle,
               ctypes.byref(open_options(**options)))
