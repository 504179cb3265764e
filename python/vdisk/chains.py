"""Trees of images, links between them, and what has changed; the functions start Jobs."""
from __future__ import annotations

import ctypes

from . import _native as native
from ._native import library
from ._options import Path, encoded, open_options
from .job import Changes, Job, Rebased, Relinked, TreeImage
from .manifest import Manifest


def tree(directory: Path, *, recursive: bool = True, **options) -> Job[tuple[TreeImage, ...]]:
    """Which images below a directory belong to which."""
    return Job(library.vdisk_tree, encoded(directory), 0 if recursive else 1,
               ctypes.byref(open_options(**options)))


def relink(directory: Path, *, recursive: bool = True, dry_run: bool = False,
           **options) -> Job[Relinked]:
    """Links children whose parent has moved to the one file that has its identity."""
    flags = (0 if recursive else 1) + 2 * int(dry_run)
    return Job(library.vdisk_relink, encoded(directory), flags,
               ctypes.byref(open_options(**options)))


def rebase(child: Path, parent: Path, *, force_identity: bool = False, digest: str | None = None,
           windows_path: str | None = None, dry_run: bool = False, **options) -> Job[Rebased]:
    """Gives a child another file as its parent; `force_identity` only with a proof."""
    wanted = native.RebaseOptions(struct_size=ctypes.sizeof(native.RebaseOptions),
                                  force_identity=int(force_identity), dry_run=int(dry_run),
                                  digest=None if digest is None else digest.encode(),
                                  windows_path=None if windows_path is None
                                  else windows_path.encode())
    return Job(library.vdisk_rebase, encoded(child), encoded(parent), ctypes.byref(wanted),
               ctypes.byref(open_options(**options)))


def diff(a: Path, b: Path, *, granularity: int = 0, **options) -> Job[Changes]:
    """What must be copied to turn `a` into `b`."""
    return Job(library.vdisk_diff, encoded(a), encoded(b), granularity,
               ctypes.byref(open_options(**options)))


def make_manifest(path: Path, *, block_size: int = 0, sha256: bool = False,
                  **options) -> Job[Manifest]:
    """Digests of all blocks, to know later what has changed."""
    return Job(library.vdisk_make_manifest, encoded(path), block_size, int(sha256),
               ctypes.byref(open_options(**options)))


def changes(path: Path, since: Manifest, **options) -> Job[Changes]:
    """What changed since a manifest was made."""
    return Job(library.vdisk_changes, encoded(path), since._handle,
               ctypes.byref(open_options(**options)))
