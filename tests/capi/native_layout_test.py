#!/usr/bin/env python3
"""The structures of the Python package are those of the C interface, as abi.record has them.

    native_layout_test.py PACKAGE RECORD    PACKAGE: the folder of the vdisk package
"""
import ctypes
import re
import sys

# Python class -> structure; the union's members are compared with the structure around them.
NAMES = {"OpenOptions": "vdisk_open_options", "LayerInfo": "vdisk_layer_info",
         "Extent": "vdisk_extent", "Progress": "vdisk_progress", "Target": "vdisk_target",
         "MergeOptions": "vdisk_merge_options", "RebaseOptions": "vdisk_rebase_options",
         "Range": "vdisk_range", "TreeImage": "vdisk_tree_image",
         "MetadataItem": "vdisk_metadata_item", "Output": "vdisk_output"}


def members(kind, prefix="", start=0):
    """(path, (offset, size)) of every field, those of structures inside too."""
    for name, field, *_ in kind._fields_:
        place = getattr(kind, name)
        yield prefix + name, (start + place.offset, ctypes.sizeof(field))
        if issubclass(field, (ctypes.Structure, ctypes.Union)):
            yield from members(field, prefix + name + ".", start + place.offset)


def main():
    sys.path.insert(0, sys.argv[1])
    from vdisk import _native
    recorded = {}
    with open(sys.argv[2]) as file:
        for line in file:
            found = re.match(r"member (\S+) at (\d+), (\d+) bytes", line)
            if found:
                recorded[found.group(1)] = (int(found.group(2)), int(found.group(3)))
    wrong = []
    for python_name, name in NAMES.items():
        present = {f"{name}.{path}": place
                   for path, place in members(getattr(_native, python_name))}
        for path, place in present.items():
            if recorded.get(path) != place:
                wrong.append(f"{python_name}: {path} at {place}, expected {recorded.get(path)}")
        if name != "vdisk_output":  # its union has outputs that Python does not read
            wrong += [f"{python_name}: without {path}" for path in recorded
                      if path.startswith(name + ".") and path not in present]
    print("\n".join(wrong) or f"{len(NAMES)} structures are alike")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
