"""VHD and VHDX virtual disk images: libvdisk for Python.

    import vdisk

    vdisk.create("disk.vhdx", 64 << 30).wait()
    with vdisk.Disk("disk.vhdx", writable=True) as disk:
        disk.write(0, b"\\0" * 510 + b"\\x55\\xaa")

Needs the shared library (libvdisk.so.0) and nothing else; VDISK_LIBRARY names another file.
"""
from ._native import VdiskError, library
from .chains import changes, diff, make_manifest, rebase, relink, tree
from .disk import Disk, Extent, Layer
from .job import Job, Mirror, Status
from .manifest import Manifest
from .metadata import Item, get_metadata, list_metadata, remove_metadata, set_metadata
from .operations import (check, compact, compare, convert, create, expand, hash, merge, repair,
                         resize, salvage, shrink)
from .outputs import (Changes, Checked, Compacted, Comparison, Created, Digest, Merged, Range,
                      Rebased, Relinked, Repaired, Resized, Salvaged, TreeImage)

__version__: str = library.vdisk_version().decode()
__all__ = ["Changes", "Checked", "Compacted", "Comparison", "Created", "Digest", "Disk", "Extent",
           "Item", "Job", "Layer", "Manifest", "Merged", "Mirror", "Range", "Rebased", "Relinked",
           "Repaired", "Resized", "Salvaged", "Status", "TreeImage", "VdiskError", "changes",
           "check", "compact", "compare", "convert", "create", "diff", "expand", "get_metadata",
           "hash", "list_metadata", "make_manifest", "merge", "rebase", "relink",
           "remove_metadata", "repair", "resize", "salvage", "set_metadata", "shrink", "tree"]
