"""The largest disks that the formats hold: created, described, written at the end, expanded.
Peak memory is measured on the tool's own process."""

import os
import subprocess
import time
import unittest

import image_reader
from flat import random_bytes
from interop import (GIB, KIB, MIB, PEAK_MEMORY, SEED, TIB, TOOL, Case, Failed, oracle,
                     qemu_options, run, vdisk, vdisk_json)

LARGEST_VHD = 2040 * GIB
LARGEST_VHDX = 64 * TIB
SANITIZED = os.environ.get("VDISK_SANITIZED")


def peak_memory(*arguments):
    """Peak resident memory of one run of vdisk-tool, in bytes."""
    done = subprocess.run([PEAK_MEMORY, TOOL, *map(str, arguments)], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
    said = done.stderr.decode().split("\n")
    if done.returncode != 0:
        raise Failed(f"{arguments}: {said}")
    return int(said[-2].split()[0]) * KIB


class BigSizes(Case):
    def create(self, name, size, *options):
        image = self.dir / name
        started = time.monotonic()
        vdisk("create", image, "--size", size, *options)
        self.assertLess(time.monotonic() - started, 5, "creating must not depend on the size")
        return image

    def allocated(self, image):
        return image.stat().st_blocks * 512

    def assert_ends_work(self, image, size, sector):
        """Writes into the first and the last sector, reads them and the zeros between."""
        places = (0, size // 2 // sector * sector, size - sector)
        for offset in places:
            vdisk("write", image, "--offset", offset, input=random_bytes(f"{SEED}{offset}", sector))
        for offset in places:
            data = vdisk("read", image, "--offset", offset, "--length", sector)
            self.assertEqual(data, random_bytes(f"{SEED}{offset}", sector), f"at {offset:#x}")
        reader = image_reader.open_image(image)
        self.assertEqual(reader.size, size)
        for offset in places:
            self.assertEqual(reader.read(offset, sector), random_bytes(f"{SEED}{offset}", sector))
        self.assertEqual(reader.read(size - 2 * sector, sector), bytes(sector))
        before = vdisk("read", image, "--offset", size - 2 * sector, "--length", sector)
        self.assertEqual(before, bytes(sector))
        extents = vdisk_json("map", image)
        self.assertEqual(extents[0]["start"], 0)
        self.assertEqual(extents[-1]["start"] + extents[-1]["length"], size)
        for a, b in zip(extents, extents[1:]):
            self.assertEqual(a["start"] + a["length"], b["start"])
        for offset in places:
            at = [e for e in extents if e["start"] <= offset < e["start"] + e["length"]]
            self.assertTrue(at[0]["data"])
        self.assertLess(len(extents), 20)  # each block of a VHD is one

    def test_vhd(self):
        for options in (("--block-size", "2M"), ("--block-size", "512K")):
            with self.subTest(options=options):
                image = self.create("big.vhd", LARGEST_VHD, *options)
                self.assertEqual(vdisk_json("info", image)["virtual_size"], LARGEST_VHD)
                self.assert_ends_work(image, LARGEST_VHD, 512)
                self.assert_check_clean(image)
                self.assertLess(self.allocated(image), 32 * MIB)
                end = ["-c", f"read -P 0 {LARGEST_VHD - 1024} 512"]
                run([oracle("qemu-io"), "-r", "--image-opts", *end, qemu_options(image)])
                image.unlink()

    def test_fixed_vhd(self):
        image = self.create("fixed.vhd", LARGEST_VHD, "--type", "fixed")
        self.assertEqual(vdisk_json("info", image)["file_size"], LARGEST_VHD + 512)
        data = random_bytes(SEED, 512)
        vdisk("write", image, "--offset", LARGEST_VHD - 512, input=data)
        self.assertEqual(vdisk("read", image, "--offset", LARGEST_VHD - 512, "--length", 512), data)
        self.assertLess(self.allocated(image), 8 * MIB)

    def test_vhd_behind_the_limit_is_refused(self):
        vdisk("create", self.dir / "no.vhd", "--size", LARGEST_VHD + 512, expect=(2, 3))
        self.assertFalse((self.dir / "no.vhd").exists())

    def test_vhdx(self):
        for sector, block_size in ((512, "1M"), (512, "256M"), (4096, "1M"), (4096, "256M")):
            with self.subTest(sector=sector, block_size=block_size):
                image = self.create("big.vhdx", LARGEST_VHDX, "--block-size", block_size,
                                    "--logical-sector", sector)
                self.assertLessEqual(self.allocated(image), 1.5 * MIB)
                self.assertEqual(vdisk_json("info", image)["virtual_size"], LARGEST_VHDX)
                self.assert_ends_work(image, LARGEST_VHDX, sector)
                self.assert_check_clean(image)
                image.unlink()

    def test_vhdx_behind_the_limit_is_refused(self):
        vdisk("create", self.dir / "no.vhdx", "--size", LARGEST_VHDX + 512, expect=(2, 3))
        self.assertFalse((self.dir / "no.vhdx").exists())

    def test_expand_to_the_limit(self):
        for name, limit, options in (("grow.vhd", LARGEST_VHD, ("--block-size", "512K")),
                                     ("grow.vhdx", LARGEST_VHDX, ("--block-size", "1M"))):
            with self.subTest(image=name):
                image = self.create(name, 10 * MIB, *options)
                data = random_bytes(SEED, 4 * MIB)
                vdisk("write", image, "--offset", 3 * MIB, input=data)
                vdisk("expand", image, "--size", limit, "--quiet")
                self.assertEqual(vdisk("read", image, "--offset", 3 * MIB, "--length", len(data)),
                                 data)
                self.assert_ends_work(image, limit, 512)
                self.assert_check_clean(image)

    def test_children_of_the_largest(self):
        for name, limit in (("base.vhd", LARGEST_VHD), ("base.vhdx", LARGEST_VHDX)):
            base = self.create(name, limit)
            child = self.dir / f"child{base.suffix}"
            vdisk("snapshot", base, child)
            data = random_bytes(SEED, 512)
            vdisk("write", child, "--offset", limit - 512, input=data)
            vdisk("merge", child, "--quiet")
            self.assertEqual(vdisk("read", base, "--offset", limit - 512, "--length", 512), data)

    @unittest.skipIf(SANITIZED, "the sanitizer's own memory would be measured")
    def test_memory(self):
        image = self.dir / "memory.vhdx"
        create = peak_memory("create", image, "--size", "64T", "--block-size", "1M")
        self.assertLessEqual(create, 8 * MIB, "create")
        self.assertLessEqual(peak_memory("info", image), 32 * MIB, "info")
        self.assertLessEqual(peak_memory("check", image), 64 * MIB, "check")
        read = peak_memory("read", image, "--offset", 64 * TIB - 512, "--length", 512)
        self.assertLessEqual(read, 32 * MIB, "read")


if __name__ == "__main__":
    unittest.main(verbosity=2)
