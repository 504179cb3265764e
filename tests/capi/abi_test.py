#!/usr/bin/env python3
"""The C interface only grows: compares what the shared library exports, what the header declares
and what abi.txt has recorded (functions, numbers of the codes, sizes and offsets of structures).

    abi_test.py LIBRARY HEADER RECORD [--record]
"""
import os
import re
import subprocess
import sys
import tempfile

STRUCTURES = ("vdisk_file_calls", "vdisk_store", "vdisk_open_options", "vdisk_layer_info",
              "vdisk_extent", "vdisk_progress", "vdisk_output", "vdisk_target",
              "vdisk_merge_options", "vdisk_range", "vdisk_tree_image", "vdisk_rebase_options",
              "vdisk_metadata_item")


def exported(library):
    """Functions of the C interface, and anything that should not be visible at all."""
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    names = [line.split()[-1].split("@")[0] for line in lines]
    functions = sorted(name for name in names if name.startswith("vdisk_"))
    inner = [name for name in names if re.match(r"_ZNK?5vdisk(3vhd|4vhdx|3raw)", name)]
    allowed = ("vdisk_", "VDISK_", "_Z", "_init", "_fini")
    foreign = [name for name in names if not name.startswith(allowed)]
    return functions, inner + foreign


def declared(header):
    return sorted(set(re.findall(r"\b(vdisk_[a-z0-9_]+)\(", re.sub(r"/\*.*?\*/", "", header,
                                                                   flags=re.S))))


def members(header, structure):
    body = re.search(r"typedef struct %s \{(.*?)\n\} %s;" % (structure, structure), header,
                     re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    body = re.sub(r"union \{.*\n  \} value", "int value", body, flags=re.S)
    names = []
    for declaration in body.split(";"):
        declaration = declaration.strip()
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        found = pointer or re.search(r"(\w+)(\[\d+\])?$", declaration)
        if found:
            names.append(found.group(1))
    return names


def layout(header_path, header):
    """`name value` of every code and of the size and offsets of every structure."""
    lines = [f'  printf("code {name} %ld\\n", (long){name});'
             for name in re.findall(r"^  (VDISK_[A-Z0-9_]+) = \d+", header, re.M)]
    for structure in STRUCTURES:
        lines.append(f'  printf("size {structure} %zu\\n", sizeof({structure}));')
        for member in members(header, structure):
            lines.append(f'  printf("offset {structure}.{member} %zu\\n", '
                         f'offsetof({structure}, {member}));')
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "layout.c"), os.path.join(folder, "layout")
        with open(source, "w") as file:
            file.write(f'#include <stdio.h>\n#include "{header_path}"\nint main(void) {{\n'
                       + "\n".join(lines) + "\n  return 0;\n}\n")
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", source, "-o", program], check=True)
        return subprocess.run([program], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.splitlines()


def text_of(path):
    """The header with those that it includes by name."""
    with open(path) as file:
        text = file.read()
    return re.sub(r'^#include "(vdisk_\w+\.h)"$',
                  lambda found: text_of(os.path.join(os.path.dirname(path), found.group(1))),
                  text, flags=re.M)


def main():
    library, header_path, record = sys.argv[1:4]
    header = text_of(header_path)
    functions, leaked = exported(library)
    wrong = [f"visible although internal: {name}" for name in leaked]
    for name in sorted(set(functions) ^ set(declared(header))):
        where = "exported" if name in functions else "declared"
        wrong.append(f"only {where}: {name}")
    present = [f"function {name}" for name in functions] + layout(header_path, header)
    if sys.argv[4:] == ["--record"]:
        with open(record, "w") as file:
            file.write("\n".join(present) + "\n")
    with open(record) as file:
        recorded = file.read().splitlines()
    wrong += [f"gone or changed: {line}" for line in recorded if line not in present
              and not line.startswith("size ")]
    wrong += [f"not recorded (run with --record): {line}" for line in present
              if line not in recorded]
    print("\n".join(wrong) or f"{len(present)} entries, none gone")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
