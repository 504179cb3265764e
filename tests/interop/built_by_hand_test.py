"""Images that an independent writer built: our reading equals the model, and 7-Zip agrees."""

import os
import random
import unittest
import uuid

import vhd_writer
import vhdx_writer
from flat import Flat, random_bytes
from interop import KIB, MIB, SEED, Case, sha256_of_file, vdisk, vdisk_json
from vhdx_writer import (FULLY_PRESENT, NOT_PRESENT, PARTIALLY_PRESENT, UNDEFINED, UNMAPPED, ZERO)


def guid(number):
    return uuid.UUID(int=(0xC0DE << 112) | number, version=4)


class HandBuiltVhd(Case):
    def sectors(self, size, seed, count=60):
        """Random single sectors, clustered enough that blocks have several."""
        rng = random.Random(seed)
        places = {rng.randrange(size // 512) for _ in range(count)}
        places |= {0, size // 512 - 1}
        for start in list(places)[:10]:
            places |= {s for s in range(start, start + 9) if s < size // 512}
        return {place: rng.randbytes(512) for place in places}

    def overlay(self, model, sectors):
        for sector, data in sectors.items():
            model.write(sector * 512, data)

    def test_fixed_and_dynamic(self):
        size = 5 * MIB + 3584
        for name, block_size, aligned in (("a", 512 * KIB, False), ("b", 2 * MIB, True),
                                          ("c", 16 * KIB, False)):
            with self.subTest(block_size=block_size):
                model = Flat(self.dir / f"{name}.raw", size)
                sectors = self.sectors(size, f"{SEED}{name}")
                self.overlay(model, sectors)
                image = self.dir / f"{name}.vhd"
                vhd_writer.write_sparse(image, size, sectors, guid(1).bytes, aligned=aligned,
                                        block_size=block_size, seed=SEED, extra_blocks=[3])
                self.assert_reads_as(image, model)
                self.assert_qemu_agrees(image, model)
                self.assert_check_clean(image)
        model = Flat(self.dir / "fixed.raw", size)
        sectors = self.sectors(size, SEED)
        self.overlay(model, sectors)
        vhd_writer.write_fixed(self.dir / "fixed.vhd", size, sectors, guid(2).bytes)
        self.assert_reads_as(self.dir / "fixed.vhd", model)

    def test_chain_of_differencing_disks(self):
        size = 7 * MIB + 1024
        model = Flat(self.dir / "model.raw", size)
        base = self.sectors(size, f"{SEED}base", 600)
        self.overlay(model, base)
        vhd_writer.write_sparse(self.dir / "base.vhd", size, base, guid(10).bytes, seed=SEED)
        for level, block_size in ((1, 2 * MIB), (2, 512 * KIB), (3, 2 * MIB), (4, 512 * KIB)):
            parent = "base.vhd" if level == 1 else f"level{level - 1}.vhd"
            image = self.dir / f"level{level}.vhd"
            own = self.sectors(size, f"{SEED}{level}")
            own[17] = bytes(512)  # an explicit zero over whatever the parent holds
            self.overlay(model, own)
            vhd_writer.write_sparse(
                image, size, own, guid(10 + level).bytes, block_size=block_size, seed=level,
                extra_blocks=[2], parent={"unique_id": guid(9 + level).bytes, "name": parent,
                                          "relative": f".\\{parent}"})
            self.assert_reads_as(image, model)
            self.assert_7zip_agrees(image, model)
            self.assert_check_clean(image)


class HandBuiltVhdx(Case):
    def block(self, seed, block_size):
        return random_bytes(seed, block_size)

    def child_blocks(self, count, block_size, sector, seed):
        """One block of every state, the rest left to the parent."""
        rng = random.Random(seed)
        blocks = {0: (PARTIALLY_PRESENT, None, None), 1: (NOT_PRESENT, None, None),
                  2: (UNDEFINED, None, None), 3: (ZERO, None, None), 4: (UNMAPPED, None, None),
                  5: (FULLY_PRESENT, self.block(f"{seed}5", block_size), None),
                  count - 1: (PARTIALLY_PRESENT, None, None)}
        for number, (state, _, _) in blocks.items():
            if state == PARTIALLY_PRESENT:
                present = {rng.randrange(block_size // sector) for _ in range(40)}
                present |= set(range(8, 25)) | {0}
                blocks[number] = (state, self.block(f"{seed}{number}", block_size), present)
        return blocks

    def apply(self, model, blocks, block_size, sector, differencing):
        for number, (state, data, present) in blocks.items():
            start = number * block_size
            room = min(block_size, model.size - start)
            if state == FULLY_PRESENT:
                model.write(start, data[:room])
            elif state == PARTIALLY_PRESENT:
                for index in present:
                    at = index * sector
                    if at < room:
                        model.write(start + at, data[at:at + sector])
            elif state != NOT_PRESENT or not differencing:
                model.zero(start, room)

    def base(self, size, block_size, sector):
        model = Flat(self.dir / "model.raw", size)
        count = (size + block_size - 1) // block_size
        blocks = {n: (FULLY_PRESENT, self.block(f"{SEED}b{n}", block_size), None)
                  for n in range(count)}
        self.apply(model, blocks, block_size, sector, False)
        order = list(blocks)
        random.Random(SEED).shuffle(order)
        vhdx_writer.write_vhdx(self.dir / "base.vhdx", size, blocks, block_size=block_size,
                               sector=sector, data_write=guid(100), disk_id=guid(1), order=order)
        return model

    def child(self, name, size, blocks, **options):
        image = self.dir / name
        vhdx_writer.write_vhdx(image, size, blocks, data_write=guid(101), disk_id=guid(1),
                               parent={"linkage": guid(100), "relative_path": ".\\base.vhdx"},
                               **options)
        return image

    def check_states(self, sector):
        size = 9 * MIB - 8192
        model = self.base(size, 2 * MIB, sector)
        self.assert_reads_as(self.dir / "base.vhdx", model)
        blocks = self.child_blocks(9, MIB, sector, SEED)
        image = self.child("child.vhdx", size, blocks, sector=sector)
        self.apply(model, blocks, MIB, sector, True)
        self.assert_reads_as(image, model)
        self.assert_7zip_agrees(image, model)
        self.assert_check_clean(image)

    def test_every_state_with_512_byte_sectors(self):
        self.check_states(512)

    def test_every_state_with_4096_byte_sectors(self):
        self.check_states(4096)

    def test_entries_that_keep_an_anchor_read_as_zeros(self):
        size = 6 * MIB
        model = Flat(self.dir / "model.raw", size)
        blocks = {0: (FULLY_PRESENT, self.block("a", MIB), None), 1: (UNDEFINED, None, None),
                  2: (UNMAPPED, None, None), 3: (ZERO, None, None)}
        self.apply(model, blocks, MIB, 512, False)
        image = self.dir / "anchors.vhdx"
        vhdx_writer.write_vhdx(image, size, blocks, data_write=guid(1), disk_id=guid(1),
                               anchors={1: 5 * MIB, 2: 6 * MIB})
        with open(image, "r+b") as file:
            file.seek(5 * MIB)
            file.write(b"\x77" * (2 * MIB))
        self.assert_reads_as(image, model)

    def test_chunk_boundary(self):
        """4 GiB of 512-byte sectors: block 4096 follows the first bitmap entry."""
        size = 4096 * MIB + 3 * MIB
        model = Flat(self.dir / "model.raw", size)
        blocks = {n: (FULLY_PRESENT, self.block(f"c{n}", MIB), None)
                  for n in (0, 4094, 4095, 4096, 4097, 4098)}
        self.apply(model, blocks, MIB, 512, False)
        vhdx_writer.write_vhdx(self.dir / "base.vhdx", size, blocks, data_write=guid(100),
                               disk_id=guid(1), order=[4097, 0, 4096, 4098, 4095, 4094])
        self.assert_reads_as(self.dir / "base.vhdx", model)
        self.assert_qemu_agrees(self.dir / "base.vhdx", model)
        own = {4095: (PARTIALLY_PRESENT, self.block("d", MIB), {0, 2047}),
               4096: (PARTIALLY_PRESENT, self.block("e", MIB), {0, 1, 2046}),
               4098: (ZERO, None, None)}
        image = self.child("child.vhdx", size, own)
        self.apply(model, own, MIB, 512, True)
        self.assert_reads_as(image, model)

    def test_chunk_boundary_with_4096_byte_sectors(self):
        """32 GiB: block 1024 of 32 MiB follows the first bitmap entry."""
        size = 32 * 1024 * MIB + 64 * MIB
        model = Flat(self.dir / "model.raw", size)
        block = 32 * MIB
        content = {n: (FULLY_PRESENT, self.block(f"f{n}", 65536).ljust(block, b"\0"), None)
                   for n in (1023, 1024, 1025)}
        for n, (_, data, _) in content.items():
            model.write(n * block, data[:65536])
        image = self.dir / "base.vhdx"
        vhdx_writer.write_vhdx(image, size, content, block_size=block, sector=4096,
                               data_write=guid(100), disk_id=guid(1))
        self.assert_reads_as(image, model)

    def dirty(self, name, **log):
        size = 9 * MIB
        model = self.base(size, MIB, 512)
        blocks = self.child_blocks(9, MIB, 512, name)
        image = self.child(name, size, blocks, dirty_log=log)
        self.apply(model, blocks, MIB, 512, True)
        before = sha256_of_file(image)
        self.assertTrue(vdisk_json("info", image)["dirty"])
        self.assert_reads_as(image, model)
        self.assertEqual(sha256_of_file(image), before, "a read-only open changed the file")
        vdisk("read", image, "--read-log", "replay", "--length", 512)
        self.assertFalse(vdisk_json("info", image)["dirty"])
        self.assert_7zip_agrees(image, model)
        self.assert_check_clean(image)

    def test_dirty_log(self):
        self.dirty("plain.vhdx", start=0)

    def test_dirty_log_that_wraps(self):
        self.dirty("wraps.vhdx", start=MIB - 8192, pages_per_entry=1)

    def test_dirty_log_whose_entry_wraps_in_the_middle(self):
        self.dirty("middle.vhdx", start=MIB - 4096)

    def test_dirty_log_behind_stale_entries(self):
        self.dirty("stale.vhdx", start=MIB - 12288, stale_entries=3, pages_per_entry=1)

    def test_log_entry_with_more_than_126_descriptors(self):
        """A bitmap of every chunk byte touched: over 200 pages in one entry."""
        size = 2048 * MIB
        model = Flat(self.dir / "model.raw", size)
        content = {n: (FULLY_PRESENT, self.block(f"g{n}", 4096).ljust(MIB, b"\0"), None)
                   for n in (0, 7)}
        for n, (_, data, _) in content.items():
            model.write(n * MIB, data[:4096])
        vhdx_writer.write_vhdx(self.dir / "base.vhdx", size, content, data_write=guid(100),
                               disk_id=guid(1))
        own = {n: (PARTIALLY_PRESENT, self.block(f"h{n}", 512).ljust(MIB, b"\0"), {0})
               for n in range(0, 2048, 16)}
        for n, (_, data, _) in own.items():
            model.write(n * MIB, data[:512])
        image = self.child("many.vhdx", size, own, dirty_log={"start": 0, "pages_per_entry": 240})
        self.assert_reads_as(image, model)


if __name__ == "__main__":
    unittest.main(verbosity=2)
