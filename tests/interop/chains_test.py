"""Chains of differencing images: made, read, written and merged by us, judged by 7-Zip and the
model; and merged results judged by qemu."""

import random
import unittest

from flat import Flat, random_bytes
from interop import MIB, SEED, Case, sha256_of_file, vdisk, vdisk_json

SIZE = 13 * MIB + 2 * 4096
VHD_BLOCKS = ("512K", "2M", "512K", "2M", "2M")
VHDX_BLOCKS = ("2M", "1M", "4M", "1M", "2M")


class Chains(Case):
    def scribble(self, image, model, seed, sector=512):
        """Partial and whole blocks, zeros over the parent's data, single sectors."""
        rng = random.Random(f"{SEED}{seed}")
        for number in range(5):
            length = rng.choice((sector, 3 * sector, 40 * sector, MIB, 3 * MIB))
            offset = rng.randrange((model.size - length) // sector) * sector
            self.write(image, model, offset, random_bytes(f"{seed}{number}", length))
        length = rng.choice((sector, 9 * sector, 2 * MIB))
        self.zero(image, model, rng.randrange((model.size - length) // sector) * sector, length)

    def build(self, extension, depth, base_type="dynamic", sector=512):
        """A chain with `depth` children; the images (base first) and the model."""
        blocks = VHD_BLOCKS if extension == "vhd" else VHDX_BLOCKS
        base = self.dir / f"base.{extension}"
        options = ["--type", base_type]
        if extension == "vhdx":
            options += ["--logical-sector", sector]
        if base_type != "fixed" or extension == "vhdx":
            options += ["--block-size", blocks[0]]
        vdisk("create", base, "--size", SIZE, *options)
        model = Flat(self.dir / "model.raw", SIZE)
        self.scribble(base, model, f"{extension}0{sector}", sector)
        images = [base]
        for level in range(1, depth + 1):
            child = self.dir / f"child{level}.{extension}"
            vdisk("snapshot", images[-1], child, "--block-size", blocks[level])
            images.append(child)
            self.scribble(child, model, f"{extension}{level}{sector}", sector)
        return images, model

    def assert_chain_agrees(self, images, model):
        self.assert_reads_as(images[-1], model)
        self.assert_7zip_agrees(images[-1], model)
        for image in images:
            self.assert_check_clean(image)

    def test_every_depth(self):
        for extension, base_type, sector in (("vhd", "dynamic", 512), ("vhd", "fixed", 512),
                                             ("vhdx", "dynamic", 512), ("vhdx", "fixed", 512),
                                             ("vhdx", "dynamic", 4096)):
            with self.subTest(extension=extension, base=base_type, sector=sector):
                images, model = self.build(extension, 4, base_type, sector)
                self.assert_chain_agrees(images, model)
                self.assertEqual(len(vdisk_json("info", images[-1], "--chain")["chain"]), 5)
                for image in images:
                    image.unlink()

    def test_parents_are_never_written(self):
        for extension in ("vhd", "vhdx"):
            images, model = self.build(extension, 2)
            before = [sha256_of_file(image) for image in images[:-1]]
            self.scribble(images[-1], model, "late")
            vdisk("discard", images[-1], "--offset", 0, "--length", 4 * MIB)
            vdisk("expand", images[-1], "--size", SIZE + 4 * MIB)
            self.assertEqual([sha256_of_file(image) for image in images[:-1]], before)

    def test_merge(self):
        for extension, base_type, sector in (("vhd", "dynamic", 512), ("vhd", "fixed", 512),
                                             ("vhdx", "dynamic", 512), ("vhdx", "dynamic", 4096),
                                             ("vhdx", "fixed", 512)):
            with self.subTest(extension=extension, base=base_type, sector=sector):
                images, model = self.build(extension, 3, base_type, sector)
                vdisk("merge", images[3], "--quiet")
                self.assert_chain_agrees(images[:3], model)
                vdisk("merge", images[2], "--all", "--delete", "--quiet")
                self.assert_reads_as(images[3], model)  # linked to the base before
                images[3].unlink()
                self.assertFalse(images[2].exists())
                self.assertFalse(images[1].exists())
                self.assert_chain_agrees(images[:1], model)
                if sector == 512:
                    self.assert_qemu_agrees(images[0], model)
                for image in images:
                    image.unlink(missing_ok=True)

    def test_merged_child_still_reads_the_same(self):
        for extension in ("vhd", "vhdx"):
            images, model = self.build(extension, 2)
            vdisk("merge", images[2], "--quiet")
            self.assert_reads_as(images[2], model)
            self.assert_reads_as(images[1], model)

    def test_flatten_into_a_new_image(self):
        for extension in ("vhd", "vhdx"):
            images, model = self.build(extension, 2)
            flat = self.dir / f"flat.{extension}"
            vdisk("convert", images[-1], flat, "--quiet")
            self.assert_qemu_agrees(flat, model)
            flat.unlink()

    def test_child_larger_than_its_parent(self):
        """Sectors behind the parent's end are zeros; the merge grows the parent first."""
        for extension in ("vhd", "vhdx"):
            with self.subTest(extension=extension):
                images, model = self.build(extension, 1)
                child = self.dir / f"large.{extension}"
                size = SIZE + 9 * MIB
                vdisk("snapshot", images[-1], child, "--size", size)
                model.resize(size)
                self.assert_reads_as(child, model)
                self.write(child, model, SIZE - 512, random_bytes(SEED, 2 * MIB))
                self.write(child, model, size - 512, random_bytes(SEED, 512))
                self.assert_reads_as(child, model)
                vdisk("merge", child, "--all", "--quiet")
                self.assertEqual(vdisk_json("info", images[0])["virtual_size"], size)
                self.assert_qemu_agrees(images[0], model)

    def test_expanded_chain(self):
        for extension in ("vhd", "vhdx"):
            with self.subTest(extension=extension):
                images, model = self.build(extension, 2)
                size = SIZE + 5 * MIB
                vdisk("expand", images[-1], "--size", size)
                model.resize(size)
                self.assert_reads_as(images[-1], model)
                self.write(images[-1], model, size - 4096, random_bytes(SEED, 4096))
                self.assert_reads_as(images[-1], model)
                vdisk("merge", images[-1], "--all", "--quiet")
                self.assert_qemu_agrees(images[0], model)


if __name__ == "__main__":
    unittest.main(verbosity=2)
