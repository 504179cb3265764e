#!/usr/bin/env python3
"""The table of codes in docs/jobs.md is what the library says.

    codes_test.py LIBRARY DOCUMENT [--write]
"""
import ctypes
import re
import sys

HEAD = ("| number | name | group | meaning | Win32 | HRESULT | VDS |\n"
        "|---|---|---|---|---|---|---|\n")


def table(path):
    library = ctypes.CDLL(path)
    for name in ("name", "describe", "kind"):
        getattr(library, f"vdisk_status_{name}").restype = ctypes.c_char_p
    for name in ("win32", "hresult", "vds"):
        getattr(library, f"vdisk_status_{name}").restype = ctypes.c_uint32
    rows = []
    for number in range(1000):
        name, kind, meaning = (getattr(library, f"vdisk_status_{part}")(number).decode()
                               for part in ("name", "kind", "describe"))
        win32, hresult, vds = (getattr(library, f"vdisk_status_{part}")(number)
                               for part in ("win32", "hresult", "vds"))
        shown = str(win32) if win32 < 0x10000 else f"0x{win32:08X}"
        rows.append(f"| {number} | `{name}` | {kind} | {meaning} | {shown} | 0x{hresult:08X} "
                    f"| {'' if vds == hresult else f'0x{vds:08X}'} |\n")
        if name == "internal":  # the last one, and the name of every number behind it
            return HEAD + "".join(rows)
    raise ValueError("no end of the codes")


def main():
    library, document = sys.argv[1:3]
    with open(document) as file:
        text = file.read()
    present = re.search(r"^\| number \| name .*?\n(?=\n|\Z)", text, re.M | re.S)
    wanted = table(library)
    if sys.argv[3:] == ["--write"]:
        with open(document, "w") as file:
            file.write(text.replace(present.group(0), wanted))
        return 0
    if present and present.group(0) == wanted:
        return 0
    print(f"{document}: the table of codes is not that of the library; run with --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
