"""check --repair, check --take-back and salvage: what they say, change and leave alone."""
import fcntl
import json
import struct
import unittest

from driver import KIB, MIB, ToolCase, seeded

SIZE = 12 * MIB


class Damaged(ToolCase):
    """A VHDX with a torn header and an entry that points to nowhere, and its content before."""

    def setUp(self):
        super().setUp()
        self.data = seeded().randbytes(3 * MIB)
        self.ok("create", "disk.vhdx", "--size", SIZE, "--block-size", "1M")
        self.ok("write", "disk.vhdx", "--offset", 2 * MIB, data=self.data)
        image = bytearray(self.read_file("disk.vhdx"))
        image[64 * KIB + 16] ^= 0xFF
        table = 192 * KIB
        entry = image.index(bytes.fromhex("6677C22D23F600429D64115E9BFD4A08"), table)
        bat = struct.unpack("<Q", image[entry + 16:entry + 24])[0]
        image[bat + 8 * 9:bat + 8 * 10] = struct.pack("<Q", (900 << 20) | 6)
        self.write_file("disk.vhdx", image)
        self.before = bytes(image)
        self.whole = bytes(2 * MIB) + self.data + bytes(SIZE - 5 * MIB)

    def answer(self, code, *words):
        got, out, err = self.run_tool(*words)
        self.assertEqual(got, code, err)
        return out

    def content(self, name):
        return self.ok("read", name, "--offset", 0, "--length", SIZE)


class Repair(Damaged):
    def test_a_dry_run_changes_nothing(self):
        text = self.answer(1, "check", "disk.vhdx", "--repair").decode()
        self.assertIn("warning X4", text)
        self.assertIn("error X39", text)
        self.assertIn("1 MiB of the disk cannot be read", text)
        self.assertIn("nothing was changed; --yes repairs", text)
        self.assertEqual(self.read_file("disk.vhdx"), self.before)

    def test_json_says_what_would_be_done(self):
        answer = json.loads(self.answer(1, "check", "disk.vhdx", "--repair", "--json"))
        self.assertEqual(set(answer), {
            "path", "repaired", "clean_before", "clean_after", "opens_before", "opens_after",
            "unreadable_bytes_before", "unreadable_bytes_after", "changed_bytes", "actions",
            "suppressed_actions", "findings", "left", "undo"})
        self.assertFalse(answer["repaired"])
        self.assertEqual((answer["clean_before"], answer["clean_after"]), (False, True))
        self.assertEqual(answer["unreadable_bytes_before"], MIB)
        self.assertEqual({action["id"] for action in answer["actions"]}, {"X4", "X39"})
        self.assertEqual(answer["left"], [])

    def test_a_repair_makes_it_clean_and_keeps_the_content(self):
        text = self.answer(0, "check", "disk.vhdx", "--repair", "--yes").decode()
        self.assertIn("repaired X4", text)
        self.ok("check", "disk.vhdx")
        self.assertEqual(self.content("disk.vhdx"), self.whole)
        repaired = self.read_file("disk.vhdx")
        self.assertIn(b"nothing to repair", self.ok("check", "disk.vhdx", "--repair", "--yes"))
        self.assertEqual(self.read_file("disk.vhdx"), repaired)

    def test_the_undo_file_brings_every_byte_back(self):
        self.ok("check", "disk.vhdx", "--repair", "--yes", "--undo", "kept")
        repaired = self.read_file("disk.vhdx")
        self.assertNotEqual(repaired, self.before)
        self.ok("check", "disk.vhdx", "--take-back", "kept")
        self.assertEqual(self.read_file("disk.vhdx"), repaired)
        self.ok("check", "disk.vhdx", "--take-back", "kept", "--yes")
        self.assertEqual(self.read_file("disk.vhdx"), self.before)

    def test_an_image_in_use_is_not_repaired(self):
        with open(self.path("disk.vhdx"), "rb") as file:
            lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0)
            fcntl.fcntl(file, 37, lock)  # F_OFD_SETLK
            self.refused(2, "check", "disk.vhdx", "--repair", "--yes")
        self.assertEqual(self.read_file("disk.vhdx"), self.before)

    def test_a_foreign_undo_file_is_refused(self):
        self.write_file("kept", b"x" * 5000)
        self.assertIn("not an undo file",
                      self.refused(2, "check", "disk.vhdx", "--take-back", "kept", "--yes"))
        self.assertEqual(self.read_file("disk.vhdx"), self.before)


class Salvage(Damaged):
    def test_what_is_lost_is_said_and_the_rest_is_there(self):
        answer = json.loads(self.answer(1, "salvage", "disk.vhdx", "new.vhdx", "--json"))
        self.assertEqual(set(answer), {
            "source", "path", "virtual_size", "complete", "lost_bytes", "lost",
            "suppressed_ranges", "assumptions", "findings"})
        self.assertEqual([(lost["start"], lost["length"]) for lost in answer["lost"]],
                         [(9 * MIB, MIB)])
        self.assertEqual(answer["lost_bytes"], MIB)
        self.assertEqual(self.read_file("disk.vhdx"), self.before)
        self.ok("check", "new.vhdx")
        self.assertEqual(self.content("new.vhdx"), self.whole)

    def test_a_file_without_its_first_megabyte(self):
        self.write_file("disk.vhdx", bytes(MIB) + self.before[MIB:])
        text = self.answer(1, "salvage", "disk.vhdx", "new.vhd", "--map", "lost.json").decode()
        self.assertIn("assumed X3", text)
        self.assertIn("lost 0x900000+0x100000", text)
        self.assertEqual(json.loads(self.read_file("lost.json"))["lost_bytes"], MIB)
        self.assertEqual(self.content("new.vhd"), self.whole)

    def test_a_file_that_was_cut(self):
        size = len(self.before.rstrip(b"\0")) - 700 * KIB
        self.write_file("disk.vhdx", self.before[:size])
        answer = json.loads(self.answer(1, "salvage", "disk.vhdx", "new.raw", "--json"))
        new = bytearray(self.read_file("new.raw"))
        for lost in answer["lost"]:
            begin, end = lost["start"], lost["start"] + lost["length"]
            self.assertEqual(bytes(new[begin:end]), bytes(end - begin))
            new[begin:end] = self.whole[begin:end]
        self.assertEqual(bytes(new), self.whole)
        self.assertGreater(answer["lost_bytes"], MIB)
        self.assertLess(answer["lost_bytes"], 3 * MIB)

    def test_a_sound_image_is_copied_whole(self):
        self.ok("create", "good.vhd", "--size", SIZE)
        self.ok("write", "good.vhd", "--offset", MIB, data=self.data)
        self.assertIn(b"12 MiB of 12 MiB read", self.ok("salvage", "good.vhd", "copy.raw"))
        self.ok("compare", "good.vhd", "copy.raw")

    def test_refusals(self):
        self.write_file("text.bin", b"no image at all" * 100)
        self.refused(2, "salvage", "text.bin", "new.raw")
        self.refused(2, "salvage", "disk.vhdx", "disk.vhdx", "--force")
        self.write_file("there.raw", b"old")
        self.refused(2, "salvage", "disk.vhdx", "there.raw")
        self.assertEqual(self.read_file("there.raw"), b"old")
        self.assertEqual(self.read_file("disk.vhdx"), self.before)


if __name__ == "__main__":
    unittest.main()
