"""Runs vdisk-tool and looks at what it left behind."""
import datetime
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB
TIMEOUT = 120
# Set by ctest: a library that shows programs another time, and whether they run slower than usual.
FAKE_CLOCK = os.environ.get("VDISK_FAKE_CLOCK", "")
SLOW = os.environ.get("VDISK_SANITIZED", "0") == "1"

# name of the subtype -> (extension, arguments of create); children get a parent of the format
SUBTYPES = {
    "raw": (".raw", []),
    "vhd fixed": (".vhd", ["--type", "fixed"]),
    "vhd dynamic": (".vhd", ["--type", "dynamic"]),
    "vhd differencing": (".vhd", []),
    "vhdx fixed": (".vhdx", ["--type", "fixed"]),
    "vhdx dynamic": (".vhdx", ["--type", "dynamic", "--block-size", "1M"]),
    "vhdx differencing": (".vhdx", ["--block-size", "1M"]),
}


def seeded():
    """A generator whose seed is printed when it is not the given one."""
    seed = int(os.environ.get("VDISK_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"seed {seed}", flush=True)
    return random.Random(seed)


def at_moment(moment):
    """An environment in which it is that time (a datetime in UTC)."""
    seconds = int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())
    return dict(os.environ, LD_PRELOAD=FAKE_CLOCK, VDISK_FAKE_TIME=str(seconds))


class ToolCase(unittest.TestCase):
    def setUp(self):
        self.tool = os.environ["VDISK_TOOL"]
        self.folder = tempfile.mkdtemp(prefix="vdisk-tool-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    # -- running

    def start(self, *words, **options):
        options.setdefault("cwd", self.folder)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        command = [self.tool] + [os.fsencode(str(word)) if not isinstance(word, bytes) else word
                                 for word in words]
        return subprocess.Popen(command, **options)

    def run_tool(self, *words, data=None, **options):
        if data is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*words, **options)
        out, err = process.communicate(data, timeout=TIMEOUT)
        self.assertGreaterEqual(process.returncode, 0, f"{words}: ended by a signal: {err}")
        return process.returncode, out, err

    def ok(self, *words, **options):
        """Runs, expects success, returns the standard output."""
        code, out, err = self.run_tool(*words, **options)
        self.assertEqual(code, 0, f"{words}: {err.decode(errors='replace')}")
        return out

    def json_of(self, *words):
        return json.loads(self.ok(*words, "--json").decode("utf-8"))

    def refused(self, code, *words, **options):
        """Runs, expects this exit code and one error line (and at most one hint); returns it."""
        got, out, err = self.run_tool(*words, **options)
        text = err.decode("utf-8")
        self.assertEqual(got, code, f"{words}: {out!r} {text}")
        lines = text.splitlines()
        self.assertTrue(lines and lines[0].startswith("vdisk-tool: "), text)
        self.assertLessEqual(len(lines), 2, text)
        if len(lines) == 2:
            self.assertTrue(lines[1].startswith("hint: "), text)
        return lines[0]

    # -- files

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_file(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)

    def read_file(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def contents(self):
        """Everything in the folder: name -> digest, or the target of a link."""
        found = {}
        for name in sorted(os.listdir(self.folder)):
            path = self.path(name)
            if os.path.islink(path):
                found[name] = os.readlink(path)
            elif os.path.isfile(path):
                found[name] = hashlib.sha256(self.read_file(name)).hexdigest()
            else:
                found[name] = "other"
        return found

    # -- images

    def make(self, subtype, size, name="disk"):
        """Creates an image of the subtype; for a child, its parent too. Returns the file name."""
        extension, options = SUBTYPES[subtype]
        file = name + extension
        if subtype.endswith("differencing"):
            base = name + "-base" + extension
            self.ok("create", base, "--size", size, *options)
            self.ok("create", file, "--parent", base, *options)
        else:
            self.ok("create", file, "--size", size, *options)
        return file

    def guest(self, file, *options):
        return self.ok("read", file, *options)


def filler(generator, length):
    return generator.randbytes(length)
