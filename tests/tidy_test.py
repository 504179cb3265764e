#!/usr/bin/env python3
"""The house rules of DESIGN section 2 and 6 that a program can read off the sources.

    tidy_test.py ROOT          checks the tree; prints `path:line: rule: text`, exit 1 on any
    tidy_test.py --self-test   plants one violation of each rule and expects it to be caught

Rules are functions from a Source to (line number, text) pairs, collected in RULES.
"""
import os
import re
import sys

LINE_LIMIT = 100
FILE_LIMIT = 500
FUNCTION_LIMIT = 70
CODE = (".h", ".cpp", ".c")
SCRIPTS = (".py", ".sh", ".cmake", ".txt", ".in", "")
SKIPPED_FOLDERS = {"build", "corpus", "golden", "__pycache__"}

C_HEADERS = {"stddef.h", "stdint.h", "stdbool.h"}
# Who may include what, by quoted include: folder -> allowed first parts of the included path.
ARROWS = {
    "libvdisk/include/": ("vdisk/", "vdisk_"),
    "libvdisk/base/": ("vdisk/", "base/"),
    "libvdisk/io/": ("vdisk/", "base/", "io/"),
    "libvdisk/job/": ("vdisk/", "base/", "job/"),
    "libvdisk/partition/": ("vdisk/", "base/", "partition/"),
    "libvdisk/engine/": ("vdisk/", "base/", "io/", "job/", "partition/", "engine/",
                         "formats/formats.h", "formats/neighbours.h",
                         "formats/split_parts.h"),
    "libvdisk/capi/": ("vdisk/", "vdisk.h", "vdisk_", "capi/"),
    "formats/": ("vdisk/", "base/", "formats/"),
    "tools/": ("vdisk/",),
}
# Beside the standard library: folder or file -> third-party headers, as a pattern.
THIRD_PARTY = (
    (r"boost/endian/", r"libvdisk/base/bytes\.h|formats/\w+/structures\.h"
                        r"|libvdisk/partition/structures\.h|tests/|fuzz/"),
    (r"isa-l", r"libvdisk/base/.*\.cpp"),
    (r"fmt/", r"(libvdisk|formats|tools|tests|fuzz|bench)/.*\.cpp"),
    (r"xxhash\.h|zlib\.h|nettle/", r"libvdisk/(base|engine|io)/.*\.cpp|tests/|fuzz/"),
    (r"CLI/|nlohmann/", r"tools/|tests/"),
    (r"doctest/", r"tests/"),
    (r"benchmark/", r"bench/"),
)
# Memory may be reinterpreted here too: a C library takes its bytes as unsigned char.
CASTS = {"libvdisk/engine/block_hasher.cpp"}
# Operating system headers: only the seam to storage, threads and random numbers may see them.
SYSTEM = r"libvdisk/(io|job|capi)/|libvdisk/base/guid\.cpp|tools/|tests/|fuzz/|bench/|examples/"
# Standard headers that formats must not use: they are fuzzed on memory, without threads.
NOT_IN_FORMATS = {"thread", "filesystem", "fstream", "iostream", "future", "condition_variable"}


class Source:
    """One file: its path below the root, its lines, and the lines without comments and strings."""

    def __init__(self, path, text):
        self.path = path
        self.lines = text.splitlines()
        self.extension = os.path.splitext(path)[1]
        self.is_code = self.extension in CODE
        self.is_header = self.extension == ".h"
        self.in_library = path.startswith(("libvdisk/", "formats/"))
        self.plain = [strip(line) for line in self.lines] if self.is_code else self.lines

    def includes(self):
        for number, line in enumerate(self.lines, 1):
            found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if found:
                yield number, found.group(1) == '"', found.group(2)


def strip(line):
    """A line of C++ without string literals and without a // comment."""
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    return re.sub(r"//.*", "", line)


def search(source, pattern, lines=None):
    for number, line in enumerate(source.plain if lines is None else lines, 1):
        found = re.search(pattern, line)
        if found:
            yield number, found.group(0)


def arrows(source):
    """Includes point down only."""
    if not source.is_code:
        return
    for folder, allowed in ARROWS.items():
        if not source.path.startswith(folder):
            continue
        for number, quoted, name in source.includes():
            own = os.path.join(os.path.dirname(folder), name).startswith(folder)
            beside = folder == "tools/" and "/" not in name or name.startswith("commands/")
            if quoted and not name.startswith(allowed) and not (beside and own):
                yield number, f"{folder} must not include {name}"


def third_party(source):
    """Each dependency is visible only in its field; public headers see std and vdisk/ alone."""
    if not source.is_code:
        return
    for number, quoted, name in source.includes():
        if quoted:
            continue
        if re.match(r"libvdisk/include/vdisk(_[a-z]+)?\.h$", source.path) and name in C_HEADERS:
            continue
        is_std = re.fullmatch(r"[a-z0-9_]+", name)
        if source.path.startswith("libvdisk/include/") and not is_std:
            yield number, f"a public header includes {name}"
        elif source.path.startswith("formats/") and name in NOT_IN_FORMATS:
            yield number, f"formats must not use <{name}>"
        elif not is_std and not may_include(source.path, name):
            yield number, f"{name} is not allowed here"


def may_include(path, name):
    for header, places in THIRD_PARTY:
        if re.match(header, name):
            return re.match(places, path) is not None
    return re.match(SYSTEM, path) is not None


def format_names_in_engine(source):
    """The engine knows rows of the table, not formats (vhd_size is an option passed through)."""
    if source.is_code and source.path.startswith("libvdisk/engine/"):
        lines = [re.sub(r"vhd_size|VhdSize", "", line.split("//")[0]) for line in source.lines]
        yield from search(source, r"(?i)vhdx?", lines)


def line_length(source):
    if source.is_code or source.extension in SCRIPTS:
        for number, line in enumerate(source.lines, 1):
            if len(line) > LINE_LIMIT:
                yield number, f"{len(line)} columns, at most {LINE_LIMIT}"


def file_length(source):
    if source.is_code and len(source.lines) > FILE_LIMIT:
        yield len(source.lines), f"{len(source.lines)} lines, at most {FILE_LIMIT}"


def function_length(source):
    """Bodies of functions: a head at column 0, or 2 in a class, and } at the same column."""
    if source.extension != ".cpp" or source.path.startswith("tests/"):
        return
    for indent in ("", "  "):
        head = body = None
        in_class = False
        for number, line in enumerate(source.plain, 1):
            if line and not line.startswith((" ", "#")):
                in_class = re.match(r"(class|struct)\b", line) is not None
            if indent and not in_class:
                continue
            if re.match(indent + r"[\w~][^;]*\(", line):
                head = number if body is None else head
            if head and body is None and line.rstrip().endswith((";", "}")):
                head = None
            elif head and body is None and line.rstrip().endswith("{"):
                body = number
            elif body and line.startswith(indent + "}"):
                if number - body - 1 > FUNCTION_LIMIT:
                    yield head, f"{number - body - 1} lines, at most {FUNCTION_LIMIT}"
                head = body = None


def unfinished(source):
    yield from search(source, r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b", source.lines)


def machine_paths(source):
    pattern = r"(?<![\w.$}>-])/(wo" r"rk|ro" r"ot|tm" r"p|ho" r"me)(/|\b(?!-))"
    yield from search(source, pattern, source.lines)


def tabs_and_blanks(source):
    yield from search(source, r"\t|[ \t]+$", source.lines)


def printing(source):
    """The library neither prints nor reads the environment."""
    if source.is_code and source.in_library:
        yield from search(source, r"\bstd::(cout|cerr|clog)\b|\b(f?printf|puts|perror|getenv)\s*\("
                                  r"|\bfmt::print\b")


def exceptions(source):
    """Nothing a file contains can trigger an assert or an exception."""
    if source.is_code and source.in_library:
        yield from search(source, r"\bthrow\b|(?<!static_)\bassert\s*\(|\babort\s*\(")


def casts(source):
    """Memory is reinterpreted in base/bytes.h; elsewhere only where a C interface asks for it."""
    folders = ("formats/", "libvdisk/engine/", "libvdisk/include/")
    if source.path.startswith(folders) and source.path not in CASTS:
        yield from search(source, r"\breinterpret_cast\b")


def sleeps(source):
    if source.is_code and source.path.startswith(("tests/", "fuzz/")):
        yield from search(source, r"\bsleep_(for|until)\b|\bu?sleep\s*\(")


def headers(source):
    if not source.is_header:
        return
    is_guarded = any(line.startswith("#ifndef ") for line in source.lines[:60])  # headers of C
    if "#pragma once" not in source.lines and not is_guarded:
        yield 1, "no #pragma once"
    if not source.lines or not source.lines[0].startswith(("//", "/*")):
        yield 1, "a header begins with a comment that states its purpose"
    yield from search(source, r"\busing\s+namespace\b")


def file_names(source):
    if source.is_code and re.search(r"util|helper|manager|context", os.path.basename(source.path)):
        yield 1, "name it after its idea"


def links(source):
    """Relative links of documents lead somewhere."""
    if source.extension != ".md":
        return
    for number, line in enumerate(source.lines, 1):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
            if re.match(r"[a-z]+:", target):
                continue
            folder = os.path.dirname(source.path)
            if not source_exists(os.path.join(folder, target)):
                yield number, f"no such file: {target}"


ROOT = "."


def source_exists(path):
    return os.path.exists(os.path.join(ROOT, path))


def types(source):
    """Line and qualified name of each type that the library defines for all its files to see."""
    spaces = []
    for number, line in enumerate(source.lines, 1):
        opened = re.match(r"namespace ([\w:]*) ?\{$", line)
        found = re.match(r"(?:struct|class|enum class|enum|union) (?:\[\[\w+\]\] )?"
                         r"([\w:]+)[^;(]*\{|(?:struct|class) ([\w:]+)[^;(]*$", line)
        if opened:
            spaces.append(opened.group(1))
        elif re.match(r"\}\s+// namespace", line):
            spaces.pop()
        elif found and source.in_library and "" not in spaces:
            yield number, "::".join([*spaces, found.group(1) or found.group(2)])


def one_definition(tree):
    """Two types of one name in two files: the linker keeps either one's code for both."""
    seen = {}
    for source in tree:
        for number, name in types(source) if source.is_code else ():
            if name in seen:
                yield source.path, number, f"{name} is also defined in {seen[name]}"
            seen.setdefault(name, source.path)


RULES = (arrows, third_party, format_names_in_engine, line_length, file_length, function_length,
         unfinished, machine_paths, tabs_and_blanks, printing, exceptions, casts, sleeps, headers,
         file_names, links)


def findings(source):
    return [(number, rule.__name__, text) for rule in RULES for number, text in rule(source)]


def sources(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders
                            if name not in SKIPPED_FOLDERS
                            and (name == ".ci" or not name.startswith(".")))
        for name in sorted(set(names) - {".git"}):
            path = os.path.relpath(os.path.join(folder, name), root)
            with open(os.path.join(root, path), "rb") as file:
                data = file.read()
            if b"\0" not in data:
                yield Source(path, data.decode("utf-8"))


def check_tree(root):
    global ROOT
    ROOT = root
    tree = list(sources(root))
    found = [(source.path, *finding) for source in tree for finding in findings(source)]
    found += [(path, number, "one_definition", text)
              for path, number, text in one_definition(tree)]
    for path, number, rule, text in found:
        print(f"{path}:{number}: {rule}: {text}")
    count = len(found)
    if len(tree) < 50:
        print(f"only {len(tree)} files seen in {root}: is this the source tree?")
        return 1
    print(f"{len(tree)} files, {count} violations")
    return 1 if count else 0


HEADER = "/// Purpose.\n#pragma once\n"
# (rule or None, path, text): the text breaks exactly this rule, or none.
PLANTED = (
    (None, "libvdisk/include/vdisk/a.h", HEADER + '#include <span>\n#include "vdisk/error.h"\n'),
    (None, "libvdisk/engine/a.cpp", '#include "engine/a.h"\n#include "formats/formats.h"\n'
                                    "auto x = options.vhd_size;  // of a VHD\n"),
    (None, "tools/vdisk-tool/a.cpp", '#include "output.h"\n#include <CLI/CLI.hpp>\n'),
    (None, "formats/vhd/structures.h", HEADER + "#include <boost/endian/buffers.hpp>\n"),
    (None, "libvdisk/io/a.cpp", "class A {\n  int f(\n      int a) {\n  }\n" + "\n" * 80 + "};\n"),
    (None, "libvdisk/io/a.cpp",
     "void f() {\n  g(\n      [] {\n      });\n}\n" * 30
     + "void g() {\n  if (a) {\n  }\n}\n"),
    (None, "docs/a.md", "[web](https://example.org/x) and `--parent-ro" "ot`\n"),
    ("arrows", "libvdisk/base/a.cpp", '#include "io/posix_file.h"\n'),
    ("arrows", "libvdisk/io/a.cpp", '#include "engine/open.h"\n'),
    ("arrows", "libvdisk/job/a.cpp", '#include "io/posix_file.h"\n'),
    ("arrows", "formats/vhd/a.cpp", '#include "io/memory_file.h"\n'),
    ("arrows", "formats/vhd/a.cpp", '#include "job/runner.h"\n'),
    ("arrows", "libvdisk/engine/a.cpp", '#include "formats/page_cache.h"\n'),
    ("arrows", "libvdisk/capi/a.cpp", '#include "engine/open.h"\n'),
    ("arrows", "tools/vdisk-tool/a.cpp", '#include "base/bytes.h"\n'),
    ("arrows", "libvdisk/include/vdisk/a.h", HEADER + '#include "base/bytes.h"\n'),
    ("third_party", "libvdisk/include/vdisk/a.h", HEADER + "#include <fmt/format.h>\n"),
    ("third_party", "libvdisk/include/vdisk/a.h", HEADER + "#include <unistd.h>\n"),
    ("third_party", "formats/vhd/a.cpp", "#include <fcntl.h>\n"),
    ("third_party", "formats/vhd/a.cpp", "#include <thread>\n"),
    ("third_party", "formats/vhd/a.cpp", "#include <boost/endian/buffers.hpp>\n"),
    ("third_party", "libvdisk/io/a.h", HEADER + "#include <fmt/format.h>\n"),
    ("third_party", "libvdisk/engine/a.cpp", "#include <nlohmann/json.hpp>\n"),
    ("format_names_in_engine", "libvdisk/engine/a.cpp", 'if (format.name == "vhdx") return;\n'),
    ("line_length", "libvdisk/io/a.cpp", "int x;" + " " * 90 + "// no\n"),
    ("file_length", "libvdisk/io/a.cpp", "int x;\n" * (FILE_LIMIT + 1)),
    ("function_length", "libvdisk/io/a.cpp",
     "void f(int a) {\n" + "  g();\n" * (FUNCTION_LIMIT + 1) + "}\n"),
    ("function_length", "libvdisk/io/a.cpp",
     "class A {\n  void f(int a,\n         int b) {\n"
     + "  g();\n" * (FUNCTION_LIMIT + 1) + "  }\n};\n"),
    ("unfinished", "docs/a.md", "To do: TO" "DO\n"),
    ("machine_paths", "docs/a.md", "see /tm" "p/x\n"),
    ("machine_paths", "libvdisk/io/a.cpp", "// in /wo" "rk\n"),
    ("tabs_and_blanks", "libvdisk/io/a.cpp", "int x; \n"),
    ("printing", "libvdisk/io/a.cpp", "std::cerr << x;\n"),
    ("printing", "formats/vhd/a.cpp", "printf(text);\n"),
    ("printing", "formats/vhd/a.cpp", 'auto* x = getenv("X");\n'),
    ("exceptions", "libvdisk/io/a.cpp", "throw 1;\n"),
    ("exceptions", "formats/vhd/a.cpp", "assert(size > 0);\n"),
    ("casts", "formats/vhd/a.cpp", "auto* p = reinterpret_cast<const Raw*>(data);\n"),
    ("sleeps", "tests/job/a_test.cpp", "std::this_thread::sleep_for(10ms);\n"),
    ("headers", "libvdisk/io/a.h", "/// Purpose.\n"),
    ("headers", "libvdisk/io/a.h", "#pragma once\n"),
    ("headers", "libvdisk/io/a.h", HEADER + "using namespace std;\n"),
    ("file_names", "libvdisk/io/string_utils.cpp", "int x;\n"),
    ("links", "docs/a.md", "[gone](no/such/file.md)\n"),
)

IN_SPACE = "namespace vdisk {{\n{}\n}}  // namespace vdisk\n"
UNNAMED = "namespace {{\n{}\n}}  // namespace\n"
# (whether the two files define one type twice, their texts)
PLANTED_PAIRS = (
    (True, [IN_SPACE.format("struct A {\n  int a;\n};")] * 2),
    (True, [IN_SPACE.format("class A final : public B {\n};"),
            IN_SPACE.format("class A final\n    : public C {\n};")]),
    (False, [IN_SPACE.format("struct A {\n};"), IN_SPACE.format("struct A;")]),
    (False, [IN_SPACE.format("struct A {\n};"), IN_SPACE.format("struct B {\n  struct A {\n};")]),
    (False, [IN_SPACE.format(UNNAMED.format("struct A {\n};"))] * 2),
    (False, [IN_SPACE.format("struct A {\n};"),
             IN_SPACE.format("struct A {\n};").replace("vdisk", "other")]),
)


def self_test():
    failures = 0
    for expected, path, text in PLANTED:
        got = {rule for _, rule, _ in findings(Source(path, text))}
        if got != ({expected} if expected else set()):
            print(f"{path}: expected {expected}, got {sorted(got)}: {text[:60]!r}")
            failures += 1
    for expected, pair in PLANTED_PAIRS:
        tree = [Source(f"libvdisk/io/{name}.cpp", text) for name, text in zip("ab", pair)]
        got = [text for _, _, text in one_definition(tree)]
        if bool(got) != expected:
            print(f"one_definition: expected {expected}, got {got}: {pair}")
            failures += 1
    missing = {rule.__name__ for rule in RULES} - {expected for expected, _, _ in PLANTED}
    if missing:
        print(f"rules without a planted violation: {sorted(missing)}")
        failures += 1
    print(f"{len(PLANTED) + len(PLANTED_PAIRS)} plants, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(self_test() if sys.argv[1] == "--self-test" else check_tree(sys.argv[1]))
