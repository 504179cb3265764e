"""expand, shrink and resize as a person uses them: what is refused, said and hinted."""
import os
import struct
import unittest
import zlib

from driver import GIB, MIB, SUBTYPES, ToolCase

SIZE = 12 * MIB
ENTRIES = 128 * 128


def gpt_header(own, other, last, entries_at, entries):
    def pack(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, own, other,
                           34, last - 33, b"0123456789abcdef", entries_at, 128, 128,
                           zlib.crc32(entries))
    return pack(zlib.crc32(pack(0)))


def gpt_disk(size, first, last_of_partition, name="data"):
    """A disk with one partition, as bytes."""
    sectors = size // 512
    entry = struct.pack("<16s16sQQQ72s", b"T" * 16, b"U" * 16, first, last_of_partition, 0,
                        name.encode("utf-16-le"))
    entries = entry + bytes(ENTRIES - len(entry))
    disk = bytearray(size)
    disk[446:462] = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff" * 3, 1, sectors - 1)
    disk[510:512] = b"\x55\xaa"
    last = sectors - 1
    disk[512:604] = gpt_header(1, last, last, 2, entries)
    disk[1024:1024 + ENTRIES] = entries
    disk[(last - 32) * 512:last * 512] = entries
    disk[last * 512:last * 512 + 92] = gpt_header(last, 1, last, last - 32, entries)
    return bytes(disk)


class Shrink(ToolCase):
    def test_shrink_keeps_the_data_on_every_subtype(self):
        for subtype in SUBTYPES:
            if subtype == "vhd differencing":
                continue  # its parent is as large as it is
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                self.ok("write", file, "--length", "8M", "--pattern", "3")
                before = os.path.getsize(self.path(file))
                line = self.ok("shrink", file, "--size", "8M").decode()
                self.assertRegex(line, rf"^shrunk {file}: 12 MiB -> 8 MiB")
                self.assertEqual(self.guest(file), b"\3" * 8 * MIB)
                self.assertLessEqual(os.path.getsize(self.path(file)), before)
                self.ok("check", file)
                if subtype == "vhdx differencing":  # its parent would come to light again
                    self.assertIn("parent", self.refused(2, "resize", file, "--size", "+4M"))
                    continue
                self.ok("resize", file, "--size", "+4M")
                self.assertEqual(self.guest(file), b"\3" * 8 * MIB + bytes(4 * MIB))
                self.ok("check", file)

    def test_data_behind_the_new_end_are_not_lost_unasked(self):
        self.ok("create", "d.vhdx", "--size", SIZE)
        self.ok("write", "d.vhdx", "--offset", 9 * MIB + 512, "--length", 512, "--pattern", 1)
        before = self.contents()
        for words in (("shrink", "d.vhdx", "--size", "8M"), ("resize", "d.vhdx", "--size=-4M")):
            code, _, err = self.run_tool(*words)
            self.assertEqual(code, 2)
            self.assertIn(b"0x900200", err)
            self.assertIn(b"hint: --allow-data-loss", err)
        self.assertEqual(self.contents(), before)
        self.ok("shrink", "d.vhdx", "--size", "8M", "--allow-data-loss")
        self.assertEqual(self.json_of("info", "d.vhdx")["virtual_size"], 8 * MIB)

    def test_a_vhd_child_keeps_the_size_of_its_parent(self):
        file = self.make("vhd differencing", SIZE)
        self.assertIn("of its parent", self.refused(2, "shrink", file, "--size", "8M"))

    def test_partitions_are_named_and_the_table_moves(self):
        for name in ("d.vhdx", "d.vhd", "d.raw"):
            with self.subTest(name):
                disk = gpt_disk(SIZE, 2048, 2 * 2048 + 2047, "my data")
                self.ok("create", name, "--size", SIZE)
                self.ok("write", name, data=disk)
                code, _, err = self.run_tool("shrink", name, "--size", "2M")
                self.assertEqual(code, 2)
                self.assertIn(b"partition 1 'my data': ends at 0x300000", err)
                self.assertIn(b"--to-smallest-safe", err)
                result = self.json_of("shrink", name, "--size", "8M")
                self.assertEqual(result["gpt"], "moved")
                self.assertEqual(self.guest(name), gpt_disk(8 * MIB, 2048, 6143, "my data"))
                line = self.ok("shrink", name, "--to-smallest-safe").decode()
                self.assertIn("backup GPT moved to the new end", line)
                smallest = 3 * MIB + 33 * 512
                self.assertEqual(self.guest(name), gpt_disk(smallest, 2048, 6143, "my data"))
                code, _, err = self.run_tool("expand", name, "--size", SIZE)
                self.assertEqual(code, 0)
                self.assertIn(f"hint: ".encode(), err)
                self.assertIn(f"expand {name} --size {SIZE} --fix-gpt".encode(), err)
                self.ok("expand", name, "--size", SIZE, "--fix-gpt")
                self.assertEqual(self.guest(name), disk)

    def test_json(self):
        self.ok("create", "d.vhdx", "--size", "1G")
        self.assertEqual(self.json_of("shrink", "d.vhdx", "--size", "512M"),
                         {"path": "d.vhdx", "old_size": GIB, "new_size": GIB // 2,
                          "reclaimed_bytes": 0, "gpt": None})

    def test_wrong_use(self):
        self.ok("create", "d.vhdx", "--size", SIZE)
        before = self.contents()
        self.refused(3, "shrink", "d.vhdx")
        self.refused(3, "shrink", "d.vhdx", "--size", "+1M")
        self.refused(3, "shrink", "d.vhdx", "--size", "0")
        self.refused(3, "shrink", "d.vhdx", "--size=-12M")
        self.refused(3, "shrink", "d.vhdx", "--size", "1000")
        self.refused(3, "shrink", "d.vhdx", "--size", "8M", "--to-smallest-safe")
        self.refused(3, "expand", "d.vhdx", "--size", "24M", "--allow-data-loss")
        self.refused(2, "shrink", "d.vhdx", "--size", "24M")
        self.refused(2, "expand", "d.vhdx", "--size", "8M")
        self.assertIn("smallest safe size", self.refused(2, "shrink", "d.vhdx",
                                                         "--to-smallest-safe"))
        self.assertEqual(self.contents(), before)


if __name__ == "__main__":
    unittest.main()
