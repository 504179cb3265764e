"""Images written by vdisk-tool are read by qemu-img and 7-Zip: subtypes, block sizes, odd sizes,
sector sizes, chunk boundaries, and after every kind of change."""

import random
import unittest

import image_reader
from flat import Flat, random_bytes
from interop import KIB, MIB, SEED, Case, oracle, run, vdisk, vdisk_json

ODD_SIZE = 21 * MIB + 3 * 4096
EVEN_SECTORS = ODD_SIZE // 8192 * 8192  # 7-Zip wants an even number of logical sectors


class ToOthers(Case):
    def create(self, name, size, *options):
        image = self.dir / name
        vdisk("create", image, "--size", size, *options)
        return image, Flat(self.dir / f"{name}.raw", size)

    def fill(self, image, model, seed, places=8, sector=512):
        """Data of odd lengths, some across block borders, and the last sector."""
        rng = random.Random(f"{SEED}{seed}")
        for _ in range(places):
            offset = rng.randrange(model.size // sector) * sector
            length = min(rng.randrange(1, 200) * sector, model.size - offset)
            self.write(image, model, offset, random_bytes(f"{seed}{offset}", length))
        self.write(image, model, model.size - sector, random_bytes(f"{seed}end", sector))

    def assert_all_agree(self, image, model):
        self.assert_qemu_agrees(image, model)
        self.assert_7zip_agrees(image, model)
        self.assert_reads_as(image, model)
        self.assert_check_clean(image)

    def test_vhd(self):
        cases = (("fixed", ()), ("dynamic", ("--block-size", "512K")),
                 ("dynamic", ("--block-size", "2M")))
        for number, (kind, options) in enumerate(cases):
            with self.subTest(type=kind, options=options):
                image, model = self.create(f"{number}.vhd", ODD_SIZE, "--type", kind, *options)
                self.fill(image, model, f"vhd{number}")
                self.assert_all_agree(image, model)
                self.assert_vhdiinfo_agrees(image, model)

    def test_vhdx(self):
        for block_size in (1, 2, 32, 256):
            for kind in ("dynamic", "fixed"):
                if kind == "fixed" and block_size > 2:
                    continue
                with self.subTest(type=kind, block_size=block_size):
                    image, model = self.create(f"{kind}{block_size}.vhdx", ODD_SIZE, "--type", kind,
                                               "--block-size", f"{block_size}M")
                    self.fill(image, model, f"{kind}{block_size}")
                    self.assert_all_agree(image, model)
                    self.assert_vhdiinfo_agrees(image, model)
                    image.unlink()

    def test_vhdx_with_4096_byte_sectors(self):
        for kind in ("dynamic", "fixed"):
            with self.subTest(type=kind):
                image, model = self.create(f"{kind}.vhdx", EVEN_SECTORS, "--type", kind,
                                           "--block-size", "1M", "--logical-sector", 4096)
                self.fill(image, model, f"4k{kind}", sector=4096)
                self.assert_7zip_agrees(image, model)
                self.assert_reads_as(image, model)
                self.assert_check_clean(image)

    def test_tiny_disks(self):
        """A disk of one block that it does not fill."""
        for name, size in (("a.vhd", 64 * KIB), ("b.vhd", 3 * 512), ("c.vhdx", 64 * KIB),
                           ("d.vhdx", MIB + 1024)):
            with self.subTest(image=name, size=size):
                image, model = self.create(name, size)
                self.fill(image, model, name, places=2)
                self.assert_qemu_agrees(image, model)
                self.assert_reads_as(image, model)

    def test_vhdx_across_chunk_boundaries(self):
        """With 1 MiB blocks the BAT index jumps at 4 GiB."""
        image, model = self.create("chunk.vhdx", 4096 * MIB + 2 * MIB, "--block-size", "1M")
        border = 4096 * MIB
        self.write(image, model, border - 1024, random_bytes(f"{SEED}{border}", 2048))
        self.write(image, model, border + MIB + 512, random_bytes(f"{SEED}{border}b", 512))
        self.assert_qemu_agrees(image, model)
        self.assert_reads_as(image, model)
        self.assert_check_clean(image)

    def test_chunk_boundary_with_4096_byte_sectors(self):
        """With 1 MiB blocks the BAT index jumps at 32 GiB."""
        border = 32 << 30
        image, model = self.create("chunk4k.vhdx", border + MIB, "--block-size", "1M",
                                   "--logical-sector", 4096)
        data = random_bytes(SEED, 8192)
        self.write(image, model, border - 4096, data)
        reader = image_reader.open_image(image)
        self.assertEqual(reader.read(border - 4096, 4096), data[:4096])
        self.assertEqual(reader.read(border, 4096), data[4096:])
        self.assert_reads_as(image, model)

    def test_converted_images(self):
        """The bulk writer: raw -> each target, and from format to format."""
        source = Flat(self.dir / "source.raw", ODD_SIZE)
        for number in range(10):
            offset = random.Random(f"{SEED}{number}").randrange(ODD_SIZE // 512 - 700) * 512
            source.write(offset, random_bytes(f"{SEED}{number}", 700 * 512))
        source.write(5 * MIB, bytes(3 * MIB))
        cases = (("a.vhd", "--type", "dynamic"), ("b.vhd", "--type", "fixed"),
                 ("c.vhdx", "--block-size", "1M"), ("d.vhdx", "--block-size", "32M"),
                 ("e.vhdx", "--type", "fixed", "--block-size", "1M"))
        before = source.path
        for name, *options in cases:
            with self.subTest(target=name):
                image = self.dir / name
                vdisk("convert", before, image, *options, "--quiet")
                self.assert_qemu_agrees(image, source)
                self.assert_reads_as(image, source)
                self.assert_check_clean(image)
                before = image

    def test_created_from_a_source(self):
        source = Flat(self.dir / "source.raw", ODD_SIZE)
        source.write(4 * MIB - 512, random_bytes(SEED, 3000 * 512))
        for name in ("s.vhd", "s.vhdx"):
            image = self.dir / name
            vdisk("create", image, "--source", source.path, "--quiet")
            self.assert_qemu_agrees(image, source)

    def test_changes(self):
        """Write, zero, discard and expand; after each the foreign tool reads what the model says.
        After a discard the model takes what we read there: old bytes or zeros, sector by sector."""
        cases = (("a.vhd", ("--block-size", "512K")), ("b.vhd", ("--type", "fixed")),
                 ("c.vhdx", ("--block-size", "1M")), ("d.vhdx", ("--block-size", "2M")),
                 ("e.vhdx", ("--type", "fixed", "--block-size", "1M")))
        for name, options in cases:
            with self.subTest(image=name, options=options):
                image, model = self.create(name, ODD_SIZE, *options)
                self.fill(image, model, f"changes{name}")
                self.zero(image, model, MIB - 1536, 3 * MIB)
                self.assert_qemu_agrees(image, model)
                self.write(image, model, 2 * MIB + 512, random_bytes(f"{SEED}{name}", 5 * 512))
                self.discard(image, model, 8 * MIB + 512, 5 * MIB)
                self.assert_qemu_agrees(image, model)
                self.fill(image, model, f"again{name}")
                for size in (ODD_SIZE + 512 * 3, 64 * MIB):
                    vdisk("expand", image, "--size", size, "--quiet")
                    model.resize(size)
                    self.assert_qemu_agrees(image, model)
                    self.write(image, model, size - 1024, random_bytes(f"{name}{size}", 1024))
                self.assert_all_agree(image, model)

    def discard(self, image, model, offset, length):
        vdisk("discard", image, "--offset", offset, "--length", length, "--quiet")
        now = vdisk("read", image, "--offset", offset, "--length", length)
        old = model.read(offset, length)
        for at in range(0, length, 512):
            sector = now[at:at + 512]
            self.assertIn(sector, (old[at:at + 512], bytes(512)), f"at {offset + at:#x}")
        model.write(offset, now)

    def test_expand_beyond_the_room_of_the_block_table(self):
        """The table must move or blocks must make room. Read by our own reader of structures:
        qemu reads every zero of a disk so large."""
        for name, old, new, options in (("a.vhd", 4 * MIB, 64 << 30, ("--block-size", "512K")),
                                        ("b.vhdx", 4 << 30, 300 << 30, ("--block-size", "1M"))):
            with self.subTest(image=name):
                image, model = self.create(name, old, *options)
                places = (0, 512 * KIB, 3 * MIB, old - 512, new - 512)
                for offset in places[:-1]:
                    self.write(image, model, offset, random_bytes(f"{SEED}{offset}", 512))
                vdisk("expand", image, "--size", new, "--quiet")
                model.resize(new)
                self.write(image, model, new - 512, random_bytes(SEED, 512))
                reader = image_reader.open_image(image)
                self.assertEqual(reader.size, new)
                for offset in (*places, 512, MIB, old, new - 1024):
                    self.assertEqual(reader.read(offset, 512), model.read(offset, 512))
                self.assert_reads_as(image, model)
                self.assert_check_clean(image)

    def assert_vhdiinfo_agrees(self, image, model):
        said = run([oracle("vhdiinfo"), image]).decode()
        self.assertIn(f"({model.size} bytes)", said)


class DiskIds(Case):
    def test_an_id_that_was_asked_for_is_stored(self):
        wanted = "0c1d2e3f-4051-4263-8475-8697a8b9cadb"
        for name in ("i.vhd", "i.vhdx"):
            vdisk("create", self.dir / name, "--size", "8M", "--id", wanted)
            self.assertEqual(vdisk_json("info", self.dir / name)["id"], wanted)
        said = run([oracle("vhdiinfo"), self.dir / "i.vhd"]).decode()
        self.assertIn(wanted, said.lower())
        stored = image_reader.open_image(self.dir / "i.vhdx").disk_id
        self.assertEqual(str(stored), wanted)


if __name__ == "__main__":
    unittest.main(verbosity=2)
