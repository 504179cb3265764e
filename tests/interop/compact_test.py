"""Compacted images, ours and theirs, are read by qemu-img and 7-Zip as before."""

import random
import unittest

import shared_images
from flat import Flat, random_bytes
from interop import GIB, MIB, SEED, TOOL, Case, oracle, run, vdisk, vdisk_json

SIZE = 48 * MIB + 3 * 4096
PLACES = 24


class Compacted(Case):
    def scatter(self, image, model):
        """Data at random places in random order, part of it overwritten with zeros again."""
        rng = random.Random(f"{SEED}{image.name}")
        for number in range(PLACES):
            offset = rng.randrange(model.size // 8192) * 8192
            length = min(rng.randrange(1, 300) * 8192, model.size - offset)
            data = random_bytes(f"{image.name}{number}", length)
            self.write(image, model, offset, data if number % 3 else bytes(length))
        for number in rng.sample(range(24), 12):
            self.write(image, model, number * 2 * MIB, bytes(2 * MIB))

    def compact(self, image, *options):
        estimate = vdisk_json("compact", image, "--estimate")
        result = vdisk_json("compact", image, *options)
        self.assertEqual(result["new_file_size"], estimate["new_file_size"])
        self.assertEqual(image.stat().st_size, result["new_file_size"])
        return result

    def test_our_images(self):
        cases = (("a.vhd", ("--block-size", "512K")), ("b.vhd", ()),
                 ("c.vhdx", ("--block-size", "1M")), ("d.vhdx", ("--block-size", "2M")))
        for name, options in cases:
            for way in ((), ("--copy",)):
                with self.subTest(image=name, way=way):
                    image = self.dir / name
                    model = Flat(self.dir / f"{name}.raw", SIZE)
                    vdisk("create", image, "--size", SIZE, "--force", *options)
                    self.scatter(image, model)
                    self.assertGreater(self.compact(image, *way)["reclaimed_bytes"], 0)
                    self.assert_qemu_agrees(image, model)
                    self.assert_7zip_agrees(image, model)
                    self.assert_reads_as(image, model)
                    self.assert_check_clean(image)
                    # It can be written as before.
                    self.write(image, model, 5 * MIB, random_bytes(SEED, 3 * MIB))
                    self.assert_qemu_agrees(image, model)

    def test_children(self):
        for name, options in (("a.vhd", ("--block-size", "512K")), ("b.vhdx", ())):
            with self.subTest(image=name):
                base = self.dir / f"base-{name}"
                child = self.dir / name
                model = Flat(self.dir / f"{name}.raw", SIZE)
                vdisk("create", base, "--size", SIZE, *options)
                self.scatter(base, model)
                vdisk("snapshot", base, child, *options)
                self.scatter(child, model)
                self.compact(child)
                self.assert_7zip_agrees(child, model)
                self.compact(base)
                self.assert_7zip_agrees(child, model)
                self.assert_reads_as(child, model)
                for image in (child, base):
                    self.assert_check_clean(image)

    def test_images_of_qemu(self):
        """Blocks that are not aligned to 4 KiB, and a hole behind the metadata of a VHDX."""
        for name, kind in (("a.vhd", "vpc"), ("b.vhdx", "vhdx")):
            with self.subTest(image=name):
                image = self.dir / name
                model = Flat(self.dir / f"{name}.raw", 64 * MIB)
                for number in range(PLACES):
                    model.write(number * 5 * MIB // 2, random_bytes(f"{name}{number}", MIB))
                options = "force_size=on" if kind == "vpc" else "block_size=1M"
                run([oracle("qemu-img"), "convert", "-f", "raw", "-O", kind, "-o", options,
                     model.path, image])
                self.write(image, model, 8 * MIB, bytes(16 * MIB))
                self.write(image, model, 40 * MIB, bytes(4 * MIB))
                before = image.stat().st_size
                result = self.compact(image)
                self.assertLessEqual(result["new_file_size"], before - 8 * MIB)
                self.assert_qemu_agrees(image, model)
                self.assert_reads_as(image, model)
                self.assert_check_clean(image)


@unittest.skipIf(shared_images.folder() is None, "no images of other systems")
class RealImages(Case):
    def test_content_and_identity_stay(self):
        for entry in shared_images.manifest():
            if entry["virtual_size"] > 4 * GIB or "parent" in entry:
                continue
            with self.subTest(image=entry["file"]):
                image = shared_images.unpack(entry, self.dir)
                before = vdisk_json("hash", image)
                identity = vdisk_json("info", image)
                result = vdisk_json("compact", image)
                self.assertLessEqual(result["new_file_size"], result["old_file_size"])
                self.assertEqual(vdisk_json("hash", image)["digest"], before["digest"])
                after = vdisk_json("info", image)
                for field in ("id", "data_write_id", "creator"):
                    self.assertEqual(after[field], identity[field])
                run([TOOL, "check", image], expect=(0, 1))
                image.unlink()


if __name__ == "__main__":
    unittest.main()
