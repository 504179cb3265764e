"""What every interoperability test needs: the tool under test, and the foreign tools it is
compared with.

Which foreign tool is believed for what:
  qemu-img  non-differencing VHD and VHDX with 512-byte sectors and a clean log; VHD with
            force_size_calc=current_size
  7-Zip     differencing VHD and VHDX, 4096-byte sectors; an even number of sectors, the child not
            larger than its parent, a clean log
A foreign tool that is not installed is a failure, not a skip: tools/test installs them.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import flat

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40

TOOL = os.environ.get("VDISK_TOOL", "vdisk-tool")
PEAK_MEMORY = os.environ.get("VDISK_PEAK_MEMORY", "peak_memory")
SEED = int(os.environ.get("VDISK_SEED", "20240607"))


class Failed(Exception):
    """A command ended with another exit code than expected."""


def run(arguments, expect=(0,), **options):
    """Runs a command; its standard output. The error shows the command and all it said."""
    arguments = [str(a) for a in arguments]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode not in expect:
        raise Failed(f"{' '.join(arguments)}\n  exit {done.returncode}, expected {expect}\n"
                     f"  {done.stderr.decode(errors='replace')}"
                     f"  {done.stdout[:2000].decode(errors='replace')}")
    return done.stdout


def oracle(name):
    """Path of a foreign program; its absence is a failure."""
    path = shutil.which(name)
    if path is None:
        raise Failed(f"{name} is not installed; tools/test installs what the tests need")
    return path


def vdisk(*arguments, **options):
    """Runs vdisk-tool."""
    return run([TOOL, *arguments], **options)


def vdisk_json(*arguments, **options):
    return json.loads(vdisk(*arguments, "--json", **options))


def sha256_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(flat.CHUNK):
            digest.update(block)
    return digest.hexdigest()


def qemu_options(path):
    """The image for qemu's --image-opts, with the size rule that we trust."""
    suffix = Path(path).suffix
    file = f"file.driver=file,file.filename={path}"
    if suffix == ".vhd":
        return f"driver=vpc,force_size_calc=current_size,{file}"
    return f"driver={'vhdx' if suffix == '.vhdx' else 'raw'},{file}"


def qemu_virtual_size(path):
    out = run([oracle("qemu-img"), "info", "--output=json", "--image-opts", qemu_options(path)])
    return json.loads(out)["virtual-size"]


class Case(unittest.TestCase):
    """A test with a folder of its own, and the comparisons with the model."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vdisk-interop-")
        self.addCleanup(folder.cleanup)
        self.dir = Path(folder.name)

    # Writing through the tool and into the model alike.

    def write(self, image, model, offset, data):
        vdisk("write", image, "--offset", offset, "--quiet", input=data)
        model.write(offset, data)

    def zero(self, image, model, offset, length):
        vdisk("zero", image, "--offset", offset, "--length", length, "--quiet")
        model.zero(offset, length)

    # Comparisons.

    def assert_reads_as(self, image, model):
        """Our own reading of the image equals the model."""
        out = self.dir / "read-by-us.raw"
        vdisk("convert", image, out, "--format", "raw", "--force", "--quiet")
        self.assert_same_raw(out, model, f"{image} read by vdisk-tool")
        out.unlink()

    def assert_same_raw(self, path, model, what):
        self.assertEqual(os.path.getsize(path), model.size, f"{what}: size")
        difference = flat.first_difference(path, model.path)
        if difference is not None:
            self.fail(f"{what}: differs from the model at {difference:#x} (seed {SEED})")

    def assert_qemu_agrees(self, image, model):
        self.assertEqual(qemu_virtual_size(image), model.size, f"{image} read by qemu: size")
        run([oracle("qemu-img"), "compare", "--image-opts", qemu_options(image),
             qemu_options(model.path)])
        if str(image).endswith(".vhdx"):
            run([oracle("qemu-img"), "check", "-f", "vhdx", image])

    def assert_7zip_agrees(self, image, model):
        """The stream that 7-Zip extracts equals the model."""
        kind = "VHDX" if str(image).endswith("x") else "VHD"
        child = subprocess.Popen([oracle("7zz"), "x", "-so", f"-t{kind}", image],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        offset = 0
        difference = None
        with open(model.path, "rb") as expected, child:
            while block := child.stdout.read(flat.CHUNK):
                if difference is None and block != expected.read(len(block)):
                    difference = offset
                offset += len(block)
            said = child.stderr.read().decode(errors="replace")
        self.assertEqual(child.returncode, 0, f"7zz x {image}: {said}")
        self.assertEqual(offset, model.size, f"{image} read by 7-Zip: size; {said}")
        if difference is not None:
            self.fail(f"{image} read by 7-Zip: differs in the MiB at {difference:#x} (seed {SEED})")

    def assert_check_clean(self, image):
        report = vdisk_json("check", image)
        reports = report if isinstance(report, list) else [report]
        for layer in reports:
            self.assertTrue(layer["clean"], json.dumps(layer, indent=1))
