"""compact as a person or a script uses it: in place, by copy, estimated, interrupted."""
import os
import signal
import subprocess
import unittest

from driver import MIB, SUBTYPES, ToolCase, seeded

SIZE = 12 * MIB
FIELDS = [
    "path", "estimate", "reclaimed_bytes", "moved_blocks", "old_file_size", "new_file_size",
    "old_allocated_size", "new_allocated_size", "stored_blocks", "zero_blocks",
    "zero_block_bytes", "unused_bytes", "tail_bytes", "kept_zero_blocks", "unknown_blocks",
    "punched_bytes", "no_gain"]
MOVABLE = [subtype for subtype in SUBTYPES if "dynamic" in subtype or "differencing" in subtype]


class Compact(ToolCase):
    def make_with_zeros(self, subtype, name="disk"):
        """Written from the end to the beginning, then zeros over the middle third; its content."""
        file = self.make(subtype, SIZE, name)
        data = seeded().randbytes(SIZE)
        for at in range(SIZE - 2 * MIB, -1, -2 * MIB):
            self.ok("write", file, "--offset", at, data=data[at:at + 2 * MIB])
        self.ok("write", file, "--offset", "4M", "--length", "4M", "--pattern", 0)
        return file, data[:4 * MIB] + bytes(4 * MIB) + data[8 * MIB:]

    def test_the_file_shrinks_and_the_disk_stays(self):
        for subtype in MOVABLE:
            for options in ([], ["--copy"]):
                with self.subTest(f"{subtype} {options}"):
                    file, content = self.make_with_zeros(subtype, subtype.replace(" ", "-")
                                                         + "".join(options))
                    before = self.json_of("info", file)
                    estimate = self.json_of("compact", file, "--estimate")
                    self.assertEqual(os.path.getsize(self.path(file)), before["file_size"])
                    line = self.ok("compact", file, *options).decode()
                    self.assertRegex(line, rf"^compacted {file}: .* -> .*; \d+ blocks of zeros "
                                           r"given up, \d+ blocks moved\n$")
                    after = self.json_of("info", file)
                    self.assertEqual(self.guest(file), content)
                    self.ok("check", file)
                    self.assertEqual(after["file_size"], estimate["new_file_size"])
                    self.assertLessEqual(after["file_size"], before["file_size"] - 4 * MIB)
                    for field in ("id", "data_write_id", "creator", "created", "parent"):
                        self.assertEqual(after[field], before[field], field)

    def test_json(self):
        file, _ = self.make_with_zeros("vhdx dynamic")
        for options in (["--estimate"], []):
            result = self.json_of("compact", file, *options)
            self.assertEqual(list(result), FIELDS)
            self.assertEqual(result["estimate"], bool(options))
            self.assertEqual(result["zero_blocks"], 4)
            self.assertEqual(result["zero_block_bytes"], 4 * MIB)
            self.assertEqual(result["stored_blocks"], 12)
            self.assertEqual(result["reclaimed_bytes"],
                             result["old_file_size"] - result["new_file_size"])
            self.assertIsNone(result["no_gain"])
        self.assertEqual(self.json_of("compact", file)["no_gain"], "all_in_use")

    def test_estimate_tells_what_the_gain_consists_of(self):
        file, _ = self.make_with_zeros("vhdx dynamic")
        before = self.contents()
        text = self.ok("compact", file, "--estimate").decode()
        self.assertRegex(text, rf"^{file}: compact would give 4 MiB back: 16 MiB -> 12 MiB\n")
        self.assertRegex(text, r"blocks of zeros +4 MiB  \(4 of 12 blocks\)")
        self.assertEqual(self.contents(), before)

    def test_why_there_is_no_gain(self):
        for subtype in ("raw", "vhd fixed", "vhdx fixed"):
            file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
            self.assertIn("always has its full size", self.ok("compact", file).decode())
        file = self.make("vhdx dynamic", SIZE, "full")
        self.assertIn("stores no block", self.ok("compact", file).decode())
        self.ok("write", file, "--length", SIZE, "--pattern", 1)
        self.assertIn("fstrim", self.ok("compact", file).decode())
        self.ok("create", "base.vhd", "--size", SIZE)
        self.ok("write", "base.vhd", "--length", SIZE, "--pattern", 1)
        self.ok("snapshot", "base.vhd", "child.vhd")
        self.ok("zero", "child.vhd", "--length", SIZE)
        self.assertIn("hide data of the parent", self.ok("compact", "child.vhd").decode())
        self.assertEqual(self.guest("child.vhd"), bytes(SIZE))

    def test_sparse_gives_zeros_of_a_fixed_disk_back_to_the_host(self):
        for subtype in ("raw", "vhd fixed", "vhdx fixed"):
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                self.ok("write", file, "--length", SIZE, "--pattern", 1)
                self.ok("write", file, "--offset", "2M", "--length", "8M", "--pattern", 0)
                result = self.json_of("compact", file, "--sparse")
                self.assertIsNone(result["no_gain"])
                self.assertGreaterEqual(result["punched_bytes"], 8 * MIB - 64 * 1024)
                self.assertEqual(self.guest(file),
                                 b"\1" * 2 * MIB + bytes(8 * MIB) + b"\1" * 2 * MIB)
        self.refused(3, "compact", file, "--sparse", "--copy")

    def test_a_copy_replaces_what_a_link_leads_to(self):
        file, content = self.make_with_zeros("vhdx dynamic")
        os.mkdir(self.path("links"))
        os.symlink(os.path.join("..", file), self.path("links/link.vhdx"))
        self.ok("compact", "links/link.vhdx", "--copy")
        self.assertTrue(os.path.islink(self.path("links/link.vhdx")))
        self.assertEqual(self.guest(file), content)
        self.assertLess(os.path.getsize(self.path(file)), 13 * MIB)

    def test_children_of_a_vhd_do_not_doubt_a_compacted_parent(self):
        for options in ([], ["--copy"]):
            with self.subTest(options):
                file, _ = self.make_with_zeros("vhd dynamic")
                os.utime(self.path(file), (10**9, 10**9))
                self.ok("snapshot", file, "child.vhd", "--force")
                size = os.path.getsize(self.path(file))
                self.ok("compact", file, *options)
                self.assertLess(os.path.getsize(self.path(file)), size)
                self.assertEqual(os.path.getmtime(self.path(file)), 10**9)
                self.ok("check", "child.vhd", "--chain")
                os.remove(self.path(file))
        self.ok("create", "full.vhd", "--size", "8M")
        os.utime(self.path("full.vhd"), ns=(10**18 + 777, 10**18 + 777))
        self.ok("compact", "full.vhd")  # nothing to do, and nothing is done
        self.assertEqual(os.stat(self.path("full.vhd")).st_mtime_ns, 10**18 + 777)
        file, _ = self.make_with_zeros("vhdx dynamic")  # its children know an id
        os.utime(self.path(file), (10**9, 10**9))
        self.ok("compact", file)
        self.assertGreater(os.path.getmtime(self.path(file)), 10**9)

    def test_missing_parent_is_no_obstacle(self):
        file, _ = self.make_with_zeros("vhdx differencing")
        os.rename(self.path("disk-base.vhdx"), self.path("moved.vhdx"))
        self.assertEqual(self.json_of("compact", file)["zero_blocks"], 4)


class Interrupted(ToolCase):
    """K-10, K-11: the disk stays whatever the moment; the same command goes on."""

    def interrupt(self, file, number, options, seconds):
        process = self.start("compact", file, *options)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            process.communicate()
        return process.returncode

    def rounds(self, number, options, codes):
        generator = seeded()
        self.ok("create", "disk.vhdx", "--size", "64M", "--block-size", "1M")
        content = generator.randbytes(MIB)
        for turn in range(12):
            self.ok("write", "disk.vhdx", "--length", "64M", "--pattern", 0)
            for at in range(63, 0, -4):
                self.ok("write", "disk.vhdx", "--offset", f"{at}M", data=content)
            expected = self.ok("hash", "disk.vhdx")
            code = self.interrupt("disk.vhdx", number, options, generator.random() * 0.08)
            self.assertIn(code, codes)
            self.assertEqual(self.ok("hash", "disk.vhdx"), expected)
            if number != signal.SIGKILL:
                self.assertEqual(list(self.contents()), ["disk.vhdx"])
            self.ok("compact", "disk.vhdx", *options)
            self.assertEqual(self.ok("hash", "disk.vhdx"), expected)
            self.assertEqual(os.path.getsize(self.path("disk.vhdx")), 20 * MIB)
            self.ok("check", "disk.vhdx")

    def test_ctrl_c(self):
        self.rounds(signal.SIGINT, [], (0, 130, -signal.SIGINT))

    def test_ctrl_c_during_a_copy(self):
        self.rounds(signal.SIGINT, ["--copy"], (0, 130, -signal.SIGINT))

    def test_kill(self):
        self.rounds(signal.SIGKILL, [], (0, -signal.SIGKILL))


if __name__ == "__main__":
    unittest.main()
