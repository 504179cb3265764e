#!/usr/bin/env python3
"""The C interface only grows: compares what the shared library exports, what the header declares
and what abi.record has recorded (signatures, numbers, layouts, soname and version), and looks
for C++ symbols that no public header declares.

    abi_test.py LIBRARY INCLUDE RECORD [--record]    INCLUDE: the folder of vdisk.h
    abi_test.py --self-test INCLUDE                  plants changes and expects each to be noticed
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import c_header

# (file, text, replacement): each breaks callers, or may.
PLANTED = (
    ("vdisk_job.h", "uint64_t merged_bytes, removed", "uint32_t merged_bytes, removed"),
    ("vdisk_job.h", "uint64_t size_a, size_b,", "uint64_t size_b, size_a,"),
    ("vdisk_job.h", "uint8_t id[16];\n      uint64_t virtual_size;\n    } created",
     "uint64_t virtual_size;\n      uint8_t id[16];\n    } created"),
    ("vdisk.h", "VDISK_READ_ONLY = 0, VDISK_READ_WRITE = 1",
     "VDISK_READ_ONLY = 1, VDISK_READ_WRITE = 0"),
    ("vdisk.h", "VDISK_FIXED = 1, VDISK_DYNAMIC = 2", "VDISK_FIXED = 2, VDISK_DYNAMIC = 1"),
    ("vdisk.h", "VDISK_DATA = 0, VDISK_ZERO = 1, VDISK_ABSENT = 2",
     "VDISK_DATA = 0, VDISK_ABSENT = 1, VDISK_ZERO = 2"),
    ("vdisk.h", "vdisk_expand(const char* path, uint64_t size,",
     "vdisk_expand(const char* path, uint32_t size,"),
    ("vdisk.h", "uint64_t vdisk_disk_size(", "uint32_t vdisk_disk_size("),
    ("vdisk.h", "const vdisk_store* store;", "const void* store;"),
    ("vdisk_job.h", "VDISK_NO_PARENT UINT64_MAX", "VDISK_NO_PARENT 0"),
    ("vdisk_job.h", "VDISK_OUTPUT_MERGED = 203", "VDISK_OUTPUT_MERGED = 206"),
    ("vdisk.h", "  uint64_t file_offset; /**< in the layer's file; VDISK_DATA only */\n", ""),
    ("vdisk.h", "  uint32_t depth;       /**< the layer; 0 is the leaf */",
     "  uint32_t depth, more, again;"),
    ("vdisk.h", "int vdisk_disk_complete(const vdisk_disk* disk);", ""),
    ("vdisk.h", "typedef struct vdisk_manifest vdisk_manifest;",
     "typedef struct vdisk_manifest { int content; } vdisk_manifest;"),
    ("vdisk_status.h", "VDISK_BUSY = 8", "VDISK_BUSY = 88"),
    ("vdisk_status.h", "#define VDISK_ABI 0", "#define VDISK_ABI 1"),
    ("vdisk_store.h", "int (*read)(void* file, uint64_t offset, void* data, size_t length);",
     "int (*read)(void* file, void* data, uint64_t offset, size_t length);"),
    ("vdisk_store.h", "int (*flush)(void* file);", "void (*flush)(void* file);"),
    ("vdisk_store.h", "int (*remove)(void* context, const char* name);", ""),
)
# Built as a library: (source, options, what is noticed)
BAD_LIBRARIES = (
    ("namespace vdisk { class Disk { public: struct Core { void write(); }; };"
     " void Disk::Core::write() {} }", (), "vdisk::Disk::Core::write()"),
    ("namespace vdisk::vhdx { void replay() {} }", (), "vdisk::vhdx::replay()"),
    ("namespace fmt { void print() {} }", (), "fmt::print()"),
    ("namespace vdisk { void merge_secretly() {} }", (), "vdisk::merge_secretly()"),
    ('extern "C" void inflate() {}', (), "inflate"),
    ("", ("-Wl,-soname,libvdisk.so.7",), "soname libvdisk.so.7"),
)


def run(*command, stdin=None):
    return subprocess.run(command, check=True, text=True, input=stdin,
                          stdout=subprocess.PIPE).stdout


def exported(library):
    """{name: version} of all visible symbols."""
    symbols = {}
    for line in run("readelf", "--dyn-syms", "-W", library).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[6] != "UND" and fields[4] in ("GLOBAL", "WEAK", "UNIQUE"):
            name, _, version = fields[7].partition("@")
            symbols[name] = version.lstrip("@")
    return symbols


def soname(library):
    found = re.search(r"\(SONAME\).*\[(.*)\]", run("readelf", "-d", "-W", library))
    return found.group(1) if found else "none"


class PublicNames:
    """What the public C++ headers define and name."""

    def __init__(self, include):
        text = ""
        for header in glob.glob(os.path.join(include, "vdisk", "*.h")):
            with open(header) as file:
                text += re.sub(r"//.*", "", file.read())
        scope = r"\b(?:class|struct|namespace)(?: \[\[\w+\]\])? (\w+)[^;(]*?\{"
        self.scopes = set(re.findall(scope, text))
        forward = r"\b(?:friend )?(?:class|struct) \w+;"
        self.words = set(re.findall(r"\w+", re.sub(forward, "", text)))

    def has(self, name):
        """Whether a demangled name belongs to something that a public header declares."""
        name = re.sub(r"\[abi:\w+\]", "", name)
        name = re.sub(r"^(typeinfo name|typeinfo|vtable|VTT|guard variable) for ", "", name)
        name = re.split(r"\(|<", name)[0].split(" ")[-1].replace("~", "")
        *scopes, last = name.split("::")
        return (scopes[:1] == ["vdisk"] and self.scopes.issuperset(scopes)
                and (last in self.words or last.startswith("operator")))


def leaks(symbols, include):
    public = PublicNames(include)
    expected = ("vdisk_", "VDISK_0", "_init", "_fini")
    mangled = sorted(name for name in symbols if not name.startswith(expected))
    readable = run("c++filt", stdin="\n".join(mangled) + "\n").splitlines()
    return [f"visible although internal: {name}" for name in readable
            if name and not public.has(name)]


def of_library(library):
    symbols = exported(library)
    return [f"soname {soname(library)}"] + sorted(
        f"symbol {name}@{version}" for name, version in symbols.items()
        if name.startswith("vdisk_"))


def may_change(line, recorded):
    """The size of a structure that begins with its size, and of the union at its end."""
    kind, name = line.split()[:2]
    structure = name.partition(".")[0]
    if not any(entry.startswith(f"member {structure}.struct_size at 0,") for entry in recorded):
        return False
    return kind == "size" or line.endswith((": struct", ": union"))


def compare(present, recorded):
    """What callers would notice; members that may grow keep their places all the same."""
    places = {line.split(",")[0] for line in present}
    wrong = []
    for line in sorted(set(recorded) - set(present)):
        stays = line.startswith("size ") or line.split(",")[0] in places
        if not (stays and may_change(line, recorded)):
            wrong.append(f"gone or changed: {line}")
    wrong += [f"not recorded (run with --record): {line}" for line in present
              if line not in recorded]
    return wrong


def library_and_header(present):
    """Declared is what is exported, and the other way round."""
    declared = {line.split()[1].rstrip(":") for line in present if line.startswith("function ")}
    visible = {re.split("[ @]", line)[1] for line in present if line.startswith("symbol ")}
    return [f"only {'exported' if name in visible else 'declared'}: {name}"
            for name in sorted(declared ^ visible)]


def check(library, include, record, write):
    present = of_library(library) + c_header.describe(os.path.join(include, "vdisk.h"))
    if write:
        with open(record, "w") as file:
            file.write("\n".join(present) + "\n")
    with open(record) as file:
        recorded = file.read().splitlines()
    wrong = leaks(exported(library), include) + library_and_header(present)
    wrong += compare(present, recorded)
    print("\n".join(wrong) or f"{len(present)} entries, none gone")
    return 1 if wrong else 0


def breaks(wrong):
    return [line for line in wrong if line.startswith("gone or changed")]


def unnoticed_changes(include):
    before = c_header.describe(os.path.join(include, "vdisk.h"))
    for name, old, new in PLANTED:
        with tempfile.TemporaryDirectory() as folder:
            for header in glob.glob(os.path.join(include, "vdisk*.h")):
                shutil.copy(header, folder)
            with open(os.path.join(folder, name)) as file:
                text = file.read()
            if old not in text:
                yield f"{name} has no longer: {old}"
                continue
            with open(os.path.join(folder, name), "w") as file:
                file.write(text.replace(old, new))
            after = c_header.describe(os.path.join(folder, "vdisk.h"))
            if not breaks(compare(after, before)):
                yield f"not noticed: {new or 'without ' + old}"


def unnoticed_symbols(include):
    for source, options, expected in BAD_LIBRARIES:
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "libvdisk.so")
            subprocess.run([os.environ.get("CXX", "c++"), "-shared", "-fPIC", "-nostdlib", "-x",
                            "c++", "-", *options, "-o", library], check=True, text=True,
                           input=source)
            found = leaks(exported(library), include) + of_library(library)
            if not any(line.endswith(expected) for line in found):
                yield f"not noticed: {expected}"


def growth_that_is_refused(include):
    """A new field at the end, a new function and a new code must not count as a break."""
    before = c_header.describe(os.path.join(include, "vdisk.h"))
    grown = [re.sub(r"^size vdisk_target \d+$", "size vdisk_target 999", line) for line in before]
    grown += ["function vdisk_new: void (void)", "number VDISK_NEWEST 83"]
    return [f"refused: {line}" for line in breaks(compare(grown, before))]


def self_test(include):
    wrong = [*unnoticed_changes(include), *unnoticed_symbols(include),
             *growth_that_is_refused(include)]
    print("\n".join(wrong) or f"{len(PLANTED) + len(BAD_LIBRARIES)} planted changes noticed")
    return 1 if wrong else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test(sys.argv[2])
    return check(*sys.argv[1:4], sys.argv[4:] == ["--record"])


if __name__ == "__main__":
    sys.exit(main())
