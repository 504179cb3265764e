"""Declarations of the C interface as they are compiled: the header goes through the preprocessor,
what it includes of other headers is dropped, and the rest is taken apart. Only what vdisk.h uses of
C is understood; anything else is an error, so that nothing is passed over.
"""
import os
import re
import subprocess
import tempfile

TOKEN = re.compile(r"[A-Za-z_]\w*|\d\w*|[-+*(){}\[\];,=<>]|\"[^\"]*\"")
COMPILER = os.environ.get("CC", "cc")


class NotUnderstood(Exception):
    """A declaration in a form that this reader does not know."""


class Interface:
    """What the headers declare: functions, structures with their members, enumerators, macros."""

    def __init__(self):
        self.functions = {}   # name -> signature
        self.structures = {}  # name -> [(path of the member, type)]
        self.enums = []       # names of enumerations that have one
        self.numbers = []     # names of enumerators
        self.opaque = []


def preprocess(header, *options):
    command = [COMPILER, "-std=c11", "-E", *options, header]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def own_text(header):
    """The preprocessed text that stands in vdisk*.h."""
    lines, own = [], False
    for line in preprocess(header).splitlines():
        marker = re.match(r'# \d+ "([^"]*)"', line)
        if marker:
            own = re.fullmatch(r"vdisk\w*\.h", os.path.basename(marker.group(1))) is not None
        elif own and not line.startswith("#pragma"):
            lines.append(line)
    return "\n".join(lines)


def split(tokens, separator):
    """Pieces between separators that are in no bracket."""
    pieces, depth = [[]], 0
    for token in tokens:
        depth += token in "({["
        depth -= token in ")}]"
        if token == separator and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if piece]


def parameters(tokens):
    return "(" + ", ".join(declarator(piece)[1] for piece in split(tokens, ",")) + ")"


def declarator(tokens):
    """(name or None, type) of a parameter or member; names are no part of a type."""
    if "(" in tokens:
        at = tokens.index("(")
        if tokens[at + 1] != "*" or tokens[at + 3:at + 5] != [")", "("] or tokens[-1] != ")":
            raise NotUnderstood(" ".join(tokens))
        return tokens[at + 2], f"{' '.join(tokens[:at])} (*){parameters(tokens[at + 5:-1])}"
    array = []
    while tokens[-1] == "]":
        array = tokens[-3:] + array
        tokens = tokens[:-3]
    named = len(tokens) > 1 and tokens[-1] not in ("*", "const")
    kind = tokens[:-1] if named else tokens
    return (tokens[-1] if named else None), " ".join(kind + array)


def members(tokens, prefix=""):
    """(path, type) of every member, those of unions and structures inside too."""
    for piece in split(tokens, ";"):
        if piece[0] in ("struct", "union") and piece[1] == "{" and piece[-2] == "}":
            yield prefix + piece[-1], piece[0]
            yield from members(piece[2:-2], prefix + piece[-1] + ".")
            continue
        first, *others = split(piece, ",")
        name, kind = declarator(first)
        yield prefix + name, kind
        for other in others:
            if len(other) != 1 or "(" in kind or "*" in kind or "[" in kind:
                raise NotUnderstood(" ".join(piece))
            yield prefix + other[0], kind


def take_named(tokens, interface):
    """typedef struct|enum NAME [{ ... }] NAME"""
    kind, name = tokens[1], tokens[2]
    if kind not in ("struct", "enum") or tokens[-1] != name:
        raise NotUnderstood(" ".join(tokens))
    if len(tokens) == 4 and kind == "struct":
        interface.opaque.append(name)
    elif kind == "struct":
        interface.structures[name] = list(members(tokens[4:-2]))
    else:
        interface.enums.append(name)
        interface.numbers += [piece[0] for piece in split(tokens[4:-2], ",")]


def take(tokens, interface):
    if tokens[0] == "typedef":
        take_named(tokens, interface)
    elif tokens[:2] == ["enum", "{"] and tokens[-1] == "}":
        interface.numbers += [piece[0] for piece in split(tokens[2:-1], ",")]
    elif tokens[-1] == ")" and "{" not in tokens:
        at = tokens.index("(")
        result = " ".join(tokens[:at - 1])
        interface.functions[tokens[at - 1]] = f"{result} {parameters(tokens[at + 1:-1])}"
    else:
        raise NotUnderstood(" ".join(tokens))


def read(header):
    text = own_text(header)
    left = re.sub(r"\s+", "", TOKEN.sub("", text))
    if left:
        raise NotUnderstood(left)
    interface = Interface()
    for declaration in split(TOKEN.findall(text), ";"):
        take(declaration, interface)
    return interface


def macros(header):
    """`macro NAME value`; an initialiser grows with its structure and is kept by name."""
    lines = re.findall(r"^#define (VDISK_\w+)(?: (.*))?$", preprocess(header, "-dM"), re.M)
    for name, value in sorted(lines):
        if not name.endswith("_H"):
            yield f"macro {name}" if name.endswith("_INIT") else f"macro {name} {value}"


def compiled(header, interface):
    """What only a compiler knows: numbers, sizes, offsets."""
    prints = [f'printf("number {name} %ld\\n", (long){name});' for name in interface.numbers]
    for name in [*interface.enums, *interface.structures]:
        prints.append(f'printf("size {name} %zu\\n", sizeof({name}));')
    for name, inside in interface.structures.items():
        for path, kind in inside:
            prints.append(f'printf("member {name}.{path} at %zu, %zu bytes: {kind}\\n", '
                          f'offsetof({name}, {path}), sizeof((({name}*)0)->{path}));')
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "layout.c"), os.path.join(folder, "layout")
        with open(source, "w") as file:
            file.write(f'#include <stdio.h>\n#include "{os.path.abspath(header)}"\n'
                       "int main(void) {\n" + "\n".join(prints) + "\nreturn 0;\n}\n")
        subprocess.run([COMPILER, "-std=c11", "-w", source, "-o", program], check=True)
        return subprocess.run([program], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.splitlines()


def describe(header):
    """One line for everything that a caller was compiled with."""
    interface = read(header)
    lines = [f"function {name}: {signature}" for name, signature in interface.functions.items()]
    lines += [f"opaque {name}" for name in interface.opaque]
    return sorted(lines) + list(macros(header)) + compiled(header, interface)
