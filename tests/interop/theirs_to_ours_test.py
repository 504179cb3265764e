"""Images written by qemu-img and qemu-io are read by vdisk-tool."""

import itertools
import random
import unittest

from flat import Flat, random_bytes
from interop import KIB, MIB, SEED, Case, oracle, qemu_options, qemu_virtual_size, run, vdisk_json

ODD_SIZE = 37 * MIB + 5 * 512


class FromQemu(Case):
    def source(self, size, seed, places=12):
        """A sparse raw disk with data of odd lengths, some across block borders."""
        model = Flat(self.dir / f"source-{seed}.raw", size)
        rng = random.Random(f"{SEED}{seed}")
        for _ in range(places):
            offset = rng.randrange(size // 512) * 512
            length = min(rng.randrange(1, 600) * 512, size - offset)
            model.write(offset, random_bytes(f"{seed}{offset}", length))
        model.write(size - 512, random_bytes(f"{seed}end", 512))
        return model

    def convert(self, model, name, driver, options):
        image = self.dir / name
        run([oracle("qemu-img"), "convert", "-f", "raw", "-O", driver, "-o", options, model.path,
             image])
        return image

    def assert_read_right(self, image, model):
        size = qemu_virtual_size(image)
        self.assertGreaterEqual(size, model.size)
        model.resize(size)
        self.assert_qemu_agrees(image, model)
        self.assert_reads_as(image, model)
        self.assertEqual(vdisk_json("hash", image, "--sha256")["digest"], model.sha256())
        self.assert_check_clean(image)

    def test_vhd(self):
        for kind, exact in itertools.product(("dynamic", "fixed"), ("on", "off")):
            with self.subTest(subformat=kind, force_size=exact):
                model = self.source(ODD_SIZE, f"{kind}{exact}")
                image = self.convert(model, f"{kind}-{exact}.vhd", "vpc",
                                     f"subformat={kind},force_size={exact}")
                self.assert_read_right(image, model)

    def test_vhdx(self):
        sizes = ("1M", "2M", "8M", "32M", "256M")
        for kind, block_size in itertools.product(("dynamic", "fixed"), sizes):
            if kind == "fixed" and block_size not in ("1M", "32M"):
                continue
            with self.subTest(subformat=kind, block_size=block_size):
                model = self.source(ODD_SIZE, f"{kind}{block_size}")
                image = self.convert(model, f"{kind}-{block_size}.vhdx", "vhdx",
                                     f"subformat={kind},block_size={block_size}")
                self.assert_read_right(image, model)
                image.unlink()

    def test_vhdx_without_zero_state(self):
        model = self.source(ODD_SIZE, "zero")
        image = self.convert(model, "zero.vhdx", "vhdx", "block_size=1M,block_state_zero=off")
        self.assert_read_right(image, model)

    def test_vhdx_across_a_chunk_boundary(self):
        """qemu 7.2 leaves junk in the bitmap slot between two chunks: it must not be followed."""
        size = 4096 * MIB + 5 * MIB
        model = Flat(self.dir / "chunk.raw", size)
        for offset in (0, 4095 * MIB, 4096 * MIB - 512, 4096 * MIB + 512, size - 4096):
            model.write(offset, random_bytes(f"{SEED}{offset}", 4096))
        image = self.convert(model, "chunk.vhdx", "vhdx", "block_size=1M")
        self.assert_qemu_agrees(image, model)
        self.assert_reads_as(image, model)

    def test_blocks_written_in_any_order_by_qemu_io(self):
        for name, options in (("io.vhd", "force_size=on"), ("io.vhdx", "block_size=1M")):
            with self.subTest(image=name):
                size = 24 * MIB
                driver = "vpc" if name.endswith(".vhd") else "vhdx"
                image = self.dir / name
                run([oracle("qemu-img"), "create", "-f", driver, "-o", options, image, size])
                model = Flat(self.dir / f"{name}.raw", size)
                rng = random.Random(f"{SEED}{name}")
                commands = []
                for number in range(20):
                    offset = rng.randrange(size // 512) * 512
                    length = min(rng.randrange(1, 64) * 4 * KIB, size - offset)
                    pattern = 1 + number
                    commands += ["-c", f"write -P {pattern} {offset} {length}"]
                    model.write(offset, bytes([pattern]) * length)
                run([oracle("qemu-io"), "--image-opts", *commands, qemu_options(image)])
                self.assert_read_right(image, model)


if __name__ == "__main__":
    unittest.main(verbosity=2)
