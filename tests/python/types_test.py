#!/usr/bin/env python3
"""The types of the Python package, as mypy sees them: ours, and those of a caller."""
import importlib.util
import inspect
import os
import subprocess
import sys
import tempfile
import unittest

import vdisk

CALLER = '''
import mmap
import pathlib
import uuid
from typing import List, Optional, Tuple
import vdisk

created: vdisk.Created = vdisk.create("a.vhdx", 1 << 20, type="fixed", lock=False).wait(1.5)
images: Tuple[vdisk.TreeImage, ...] = vdisk.tree(pathlib.Path("."), parent_roots="a").wait()
copied = vdisk.convert("a.vhdx", b"b.vhd", source_format="raw", parent_roots=["a", b"b"])
with vdisk.Disk("a.vhdx", writable=True, read_log="memory") as disk:
    disk.write(0, mmap.mmap(-1, 512))
    disk.read_into(0, memoryview(bytearray(512)))
    depths: List[int] = [extent.depth for extent in disk.extents()]
    with disk.mirror("c.vhd") as mirror:
        made: vdisk.Created = mirror.wait()
for status in vdisk.merge("a.vhdx", parent="b.vhdx"):
    name: str = status.operation_status
first: Optional[int] = vdisk.compare("a", "b").wait().first_difference
'''
WRONG = ('vdisk.create("a.vhdx", "1 MiB")', 'vdisk.create("a.vhdx", 1, type="nonsense")',
         'vdisk.check(None)', 'vdisk.check("a", parent_root="b")', 'vdisk.check("a", lock="no")',
         'vdisk.Disk("a", True)', 'vdisk.Disk("a", read_log="sometimes")',
         'vdisk.Disk("a").write(0, "text")', 'vdisk.hash("a").wait().hexa',
         'vdisk.expand("a")', 'vdisk.get_metadata("a", "id")')


def check(*arguments):
    """mypy in its own folder for what it remembers; its exit status and what it said."""
    with tempfile.TemporaryDirectory(prefix="vdisk-types-") as folder:
        command = [*MYPY, "--strict", "--enable-incomplete-feature=Unpack",
                   "--cache-dir", folder, *arguments]
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def find_mypy():
    """A program of its own, for the interpreter of the tests may be another than the system's."""
    from shutil import which
    if which("mypy"):
        return ["mypy"]
    return [sys.executable, "-m", "mypy"] if importlib.util.find_spec("mypy") else None


MYPY = find_mypy()


class Types(unittest.TestCase):
    def setUp(self):
        if MYPY is None:
            reason = "mypy is missing (tools/setup test installs it)"
            print(f"skipped: {self.id()}: {reason}")
            self.skipTest(reason)

    def test_the_package_and_a_caller_are_typed(self):
        with tempfile.TemporaryDirectory(prefix="vdisk-caller-") as folder:
            caller = os.path.join(folder, "caller.py")
            with open(caller, "w") as file:
                file.write(CALLER)
            result, said = check(os.path.dirname(vdisk.__file__), caller)
        self.assertEqual(result, 0, said)

    def test_wrong_calls_are_found(self):
        with tempfile.TemporaryDirectory(prefix="vdisk-caller-") as folder:
            caller = os.path.join(folder, "caller.py")
            with open(caller, "w") as file:
                file.write("\n".join(["import vdisk", *WRONG]) + "\n")
            said = check(caller)[1]
        for number, call in enumerate(WRONG, 2):
            self.assertIn(f"caller.py:{number}: error:", said, call)


class Annotations(unittest.TestCase):
    def test_every_public_function_says_its_types(self):
        seen = 0
        for name in vdisk.__all__:
            thing = getattr(vdisk, name)
            functions = [thing] if inspect.isfunction(thing) else [
                member for key, member in vars(thing).items() if inspect.isfunction(member)
                and (not key.startswith("_") or key in ("__init__", "__iter__", "__len__"))]
            for function in functions:
                signature = inspect.signature(function)
                with self.subTest(function.__qualname__):
                    self.assertIsNot(signature.return_annotation, signature.empty)
                    for key, parameter in signature.parameters.items():
                        self.assertTrue(key == "self" or parameter.annotation
                                        is not parameter.empty, key)
                seen += 1
        self.assertGreater(seen, 50)
