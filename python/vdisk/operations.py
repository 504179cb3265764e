"""The operations of the library; each starts a Job."""
from __future__ import annotations

import ctypes
import uuid
from typing import TYPE_CHECKING

from . import _native as native
from ._native import library, unsigned
from ._options import (FormatOptions, ImageOptions, ImageType, OpenOptions, Path, encoded,
                       encoded_if, open_options, target)
from .job import Job
from .outputs import (Checked, Compacted, Comparison, Created, Digest, Merged, Repaired, Resized,
                      Salvaged)

if TYPE_CHECKING:
    from ._options import Unpack


def create(path: Path, size: int = 0, *, source: Path | None = None, parent: Path | None = None,
           format: str | None = None, type: ImageType | None = None, block_size: int | None = None,
           logical_sector_size: int | None = None, physical_sector_size: int | None = None,
           id: uuid.UUID | None = None, replace: bool = False, source_format: str | None = None,
           **options: Unpack[OpenOptions]) -> Job[Created]:
    """A new image: empty, a copy of `source`, or a child of `parent`."""
    wanted = target(path, format=format, type=type, block_size=block_size,
                    logical_sector_size=logical_sector_size,
                    physical_sector_size=physical_sector_size, id=id, replace=replace)
    opening = open_options(format=source_format, **options)
    return Job(library.vdisk_create, ctypes.byref(wanted), unsigned(size, 64, "size"),
               encoded_if(source), encoded_if(parent), ctypes.byref(opening))


def convert(source: Path, path: Path, *, format: str | None = None, type: ImageType | None = None,
            block_size: int | None = None, logical_sector_size: int | None = None,
            physical_sector_size: int | None = None, id: uuid.UUID | None = None,
            replace: bool = False, source_format: str | None = None,
            **options: Unpack[OpenOptions]) -> Job[Created]:
    """Copies what the guest sees of `source` into a new image."""
    wanted = target(path, format=format, type=type, block_size=block_size,
                    logical_sector_size=logical_sector_size,
                    physical_sector_size=physical_sector_size, id=id, replace=replace)
    opening = open_options(format=source_format, **options)
    return Job(library.vdisk_convert, encoded(source), ctypes.byref(wanted),
               ctypes.byref(opening))


def expand(path: Path, size: int, **options: Unpack[ImageOptions]) -> Job[Resized]:
    """Makes the disk larger; the new end reads as zeros."""
    return Job(library.vdisk_expand, encoded(path), unsigned(size, 64, "size"),
               ctypes.byref(open_options(**options)))


def shrink(path: Path, size: int = 0, *, allow_data_loss: bool = False,
           **options: Unpack[ImageOptions]) -> Job[Resized]:
    """Cuts the disk, if nothing is lost. size 0: as small as its partitions allow."""
    return Job(library.vdisk_shrink, encoded(path), unsigned(size, 64, "size"),
               2 * int(allow_data_loss), ctypes.byref(open_options(**options)))


def resize(path: Path, size: int, *, fix_gpt: bool = False, allow_data_loss: bool = False,
           **options: Unpack[ImageOptions]) -> Job[Resized]:
    """Expands or shrinks, as the size asks for."""
    flags = int(fix_gpt) + 2 * int(allow_data_loss)
    return Job(library.vdisk_resize, encoded(path), unsigned(size, 64, "size"), flags,
               ctypes.byref(open_options(**options)))


def merge(child: Path, *, depth: int = 0, all: bool = False, base: Path | None = None,
          delete_children: bool = False, force_siblings: bool = False, output: Path | None = None,
          **options: Unpack[ImageOptions]) -> Job[Merged]:
    """Moves what a child holds into its parent, or into an ancestor further down; with `output`
    into a new image, and the chain stays."""
    wanted = native.MergeOptions(depth=depth, all=int(all), base=encoded_if(base),
                                 delete_children=int(delete_children),
                                 force_siblings=int(force_siblings))
    if output is not None:
        wanted.output = ctypes.pointer(target(output))
    return Job(library.vdisk_merge, encoded(child), ctypes.byref(wanted),
               ctypes.byref(open_options(**options)))


def compact(path: Path, *, copy: bool = False, estimate: bool = False, punch: bool = False,
            **options: Unpack[ImageOptions]) -> Job[Compacted]:
    """Makes the file smaller: in place, through a copy, or only says what it would gain."""
    mode = 2 if estimate else int(copy)
    return Job(library.vdisk_compact, encoded(path), mode, int(punch),
               ctypes.byref(open_options(**options)))


def compare(a: Path, b: Path, **options: Unpack[FormatOptions]) -> Job[Comparison]:
    """Whether two disks read the same."""
    return Job(library.vdisk_compare, encoded(a), encoded(b),
               ctypes.byref(open_options(**options)))


def hash(path: Path, *, sha256: bool = False, **options: Unpack[ImageOptions]) -> Job[Digest]:
    """A digest of what the guest sees: SHA-256, or the faster one of `vdisk-tool hash`."""
    return Job(library.vdisk_hash, encoded(path), int(sha256),
               ctypes.byref(open_options(**options)))


def check(path: Path, *, chain: bool = False, **options: Unpack[ImageOptions]) -> Job[Checked]:
    """Whether the image keeps the rules of its format; with `chain` its parents, too."""
    return Job(library.vdisk_check, encoded(path), int(chain),
               ctypes.byref(open_options(**options)))


def repair(path: Path, *, apply: bool = False, undo: Path | None = None,
           **options: Unpack[ImageOptions]) -> Job[Repaired]:
    """Puts right what can be proved; without `apply` a dry run. `undo` keeps a way back."""
    return Job(library.vdisk_repair, encoded(path), int(apply), encoded_if(undo),
               ctypes.byref(open_options(**options)))


def salvage(source: Path, path: Path, *, disk_size: int = 0, source_block_size: int = 0,
            format: str | None = None, type: ImageType | None = None, block_size: int | None = None,
            replace: bool = False, source_format: str | None = None,
            **options: Unpack[OpenOptions]) -> Job[Salvaged]:
    """Copies what can be read of a damaged image into a new one; lost ranges read as zeros."""
    wanted = target(path, format=format, type=type, block_size=block_size, replace=replace)
    opening = open_options(format=source_format, **options)
    return Job(library.vdisk_salvage, encoded(source), ctypes.byref(wanted),
               unsigned(disk_size, 64, "disk_size"),
               unsigned(source_block_size, 32, "source_block_size"), ctypes.byref(opening))
