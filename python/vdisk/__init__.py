"""VHD and VHDX virtual disk images: libvdisk for Python.

    import vdisk

    vdisk.create("disk.vhdx", 64 << 30).wait()
    with vdisk.Disk("disk.vhdx", writable=True) as disk:
        disk.write(0, b"\\0" * 510 + b"\\x55\\xaa")

Needs the shared library (libvdisk.so.0) and nothing else; VDISK_LIBRARY names another file.
"""
from ._native import VdiskError, library
from .disk import Disk, Extent, Layer
from .job import (Checked, Compacted, Comparison, Created, Digest, Job, Merged, Repaired, Resized,
                  Salvaged, Status)
from .operations import (check, compact, compare, convert, create, expand, hash, merge, repair,
                         resize, salvage, shrink)

__version__: str = library.vdisk_version().decode()
__all__ = ["Checked", "Compacted", "Comparison", "Created", "Digest", "Disk", "Extent", "Job",
           "Layer", "Merged", "Repaired", "Resized", "Salvaged", "Status", "VdiskError", "check",
           "compact", "compare", "convert", "create", "expand", "hash", "merge", "repair",
           "resize", "salvage", "shrink"]
