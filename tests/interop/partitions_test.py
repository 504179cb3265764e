"""Partition tables made by sgdisk and sfdisk: their disks are shrunk and grown, and they find
nothing to complain about afterwards."""

import random
import re
import subprocess
import unittest

from flat import Flat, random_bytes
from interop import MIB, SEED, TOOL, Case, Failed, oracle, run, vdisk, vdisk_json

SIZE = 64 * MIB
SUBTYPES = (("a.raw", ()), ("b.vhd", ("--type", "fixed")), ("c.vhd", ()),
            ("d.vhdx", ("--type", "fixed", "--block-size", "1M")),
            ("e.vhdx", ("--block-size", "1M")))


def sgdisk(path, *options):
    return run([oracle("/usr/sbin/sgdisk"), *options, path]).decode()


def refusal(*arguments):
    """What vdisk-tool says when it refuses."""
    done = subprocess.run([TOOL, *map(str, arguments)], stderr=subprocess.PIPE, check=False)
    if done.returncode != 2:
        raise Failed(f"{arguments}: exit {done.returncode}, expected 2")
    return done.stderr.decode()


class Partitions(Case):
    def partitioned(self):
        """A raw disk with two partitions by sgdisk, and data in both."""
        model = Flat(self.dir / "model.raw", SIZE)
        sgdisk(model.path, "-n", "1:2048:+4M", "-c", "1:EFI", "-t", "1:ef00",
               "-n", "2:20480:+20M", "-c", "2:root")
        for number in range(20):
            offset = (2048 + random.Random(f"{SEED}{number}").randrange(8000)) * 512
            model.write(offset, random_bytes(f"{SEED}{number}", 3000))
        model.write(20480 * 512 + 19 * MIB, random_bytes(SEED, MIB))
        return model

    def assert_sound(self, image, size):
        """sgdisk verifies the disk that the image holds."""
        raw = self.dir / "out.raw"
        vdisk("convert", image, raw, "--force", "--quiet")
        self.assertEqual(raw.stat().st_size, size)
        said = sgdisk(raw, "-v")
        self.assertIn("No problems found", said)
        self.assertEqual(len(re.findall(r"^ +\d+ +\d+ +\d+ ", sgdisk(raw, "-p"), re.M)), 2)
        return raw

    def test_gpt_of_sgdisk(self):
        model = self.partitioned()
        content = model.read(0, SIZE)
        parts = slice(2048 * 512, 20480 * 512 + 20 * MIB)
        for name, options in SUBTYPES:
            with self.subTest(image=name):
                image = self.dir / name
                vdisk("convert", model.path, image, *options, "--quiet")
                refused = refusal("shrink", image, "--size", "16M")
                self.assertIn("partition 2 'root'", refused)
                for size in (48 * MIB, 40 * MIB + 512, 200 * MIB, 100 * MIB + 3 * 512):
                    options_of_size = ("--fix-gpt",) if size > 64 * MIB else ()
                    vdisk("resize", image, "--size", size, *options_of_size, "--quiet")
                    raw = self.assert_sound(image, size)
                    with open(raw, "rb") as file:
                        file.seek(parts.start)
                        self.assertEqual(file.read(parts.stop - parts.start), content[parts])
                result = vdisk_json("shrink", image, "--to-smallest-safe")
                self.assertEqual(result["new_size"], 20480 * 512 + 20 * MIB + 33 * 512)
                self.assert_sound(image, result["new_size"])
                self.assert_check_clean(image)

    def test_sgdisk_complains_until_the_gpt_is_fixed(self):
        model = self.partitioned()
        vdisk("expand", model.path, "--size", 2 * SIZE, "--quiet")
        self.assertNotIn("No problems found", sgdisk(model.path, "-v"))
        vdisk("expand", model.path, "--size", 2 * SIZE, "--fix-gpt", "--quiet")
        self.assertIn("No problems found", sgdisk(model.path, "-v"))

    def test_mbr_of_sfdisk(self):
        model = Flat(self.dir / "model.raw", SIZE)
        script = b"2048,16384,7\n20480,65536,E\n22528,8192,83\n32768,16384,83\n"
        run([oracle("/usr/sbin/sfdisk"), "--label", "dos", model.path], input=script)
        for name, options in SUBTYPES:
            with self.subTest(image=name):
                image = self.dir / name
                vdisk("convert", model.path, image, *options, "--quiet")
                refused = refusal("shrink", image, "--size", "16M")
                self.assertIn("partition 2 'extended'", refused)
                result = vdisk_json("shrink", image, "--to-smallest-safe")
                self.assertEqual(result["new_size"], (20480 + 65536) * 512)
                raw = self.dir / "out.raw"
                vdisk("convert", image, raw, "--force", "--quiet")
                run([oracle("/usr/sbin/sfdisk"), "--verify", raw])


if __name__ == "__main__":
    unittest.main()
