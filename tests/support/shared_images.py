"""Real images written by other programs, kept outside the project.

They lie in the folder VDISK_SHARED_IMAGES, by default `../shared/images` beside the sources, with
a manifest.json that says what each of them is. Where the folder is missing, its tests are reported
as skipped.
"""

import bz2
import gzip
import json
import os
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
CHUNK = 1 << 20


def folder():
    """The folder of images, or None."""
    path = Path(os.environ.get("VDISK_SHARED_IMAGES", SOURCE.parent / "shared" / "images"))
    return path if (path / "manifest.json").exists() else None


def manifest():
    """The entries of disk images (not of single footers)."""
    entries = json.loads((folder() / "manifest.json").read_text())
    return [entry for entry in entries if entry["format"] in ("vhd", "vhdx")]


def name_of(entry):
    """The image's own name: `owner+repository__win8.vhd.gz` was `win8.vhd`."""
    return entry["file"].split("__", 1)[1].rsplit(".", 1)[0]


def unpack(entry, directory):
    """Decompresses into the directory, leaving holes for zeros; the path."""
    packed = folder() / entry["file"]
    opener = bz2.open if packed.suffix == ".bz2" else gzip.open
    target = Path(directory) / name_of(entry)
    with opener(packed, "rb") as source, open(target, "wb") as out:
        while block := source.read(CHUNK):
            if block.count(0) == len(block):
                out.seek(len(block), os.SEEK_CUR)
            else:
                out.write(block)
        out.truncate(out.tell())
    if target.stat().st_size != entry["file_size"]:
        raise ValueError(f"{target.name}: unpacked to {target.stat().st_size} bytes")
    return target
