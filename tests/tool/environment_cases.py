"""The machine on a bad day (HOSTILE section 4): permissions, other processes, limits, clocks.

What storage and system calls do to the library is tested elsewhere (docs/crash-safety.md).
"""
import datetime
import os
import resource
import signal
import subprocess
import time
import unittest

from driver import FAKE_CLOCK, KIB, MIB, SLOW, SUBTYPES, ToolCase, at_moment

NOBODY = 65534


def drop_rights():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Rights(ToolCase):
    def unprivileged(self):
        """For preexec_fn: another user when the tests run as root, who may do everything."""
        return drop_rights if os.geteuid() == 0 else None

    def test_e08_a_read_only_file_is_read_but_not_written(self):
        os.chmod(self.folder, 0o755)
        for subtype in SUBTYPES:
            with self.subTest(subtype=subtype):
                file = self.make(subtype, "8M", subtype.replace(" ", "-"))
                self.ok("write", file, "--pattern", "7", "--length", "1M")
                for name in os.listdir(self.folder):
                    os.chmod(self.path(name), 0o444)
                rights = self.unprivileged()
                before = self.contents()
                self.ok("hash", file, preexec_fn=rights)
                self.ok("info", file, "--chain", preexec_fn=rights)
                self.assertIn(self.run_tool("check", file, preexec_fn=rights)[0], (0, 1, 2))
                for words in (["zero", file, "--length", "1M"], ["expand", file, "--size", "9M"]):
                    self.refused(2, *words, preexec_fn=rights)
                self.assertEqual(self.contents(), before)

    def test_e08_an_unreadable_parent_is_told(self):
        os.chmod(self.folder, 0o755)
        child = self.make("vhdx differencing", "8M")
        os.chmod(self.path("disk-base.vhdx"), 0)
        line = self.refused(2, "hash", child, preexec_fn=self.unprivileged())
        self.assertIn("disk-base.vhdx", line)
        drawn = self.ok("tree", ".", preexec_fn=self.unprivileged()).decode()
        self.assertIn("parent may not be opened: ", drawn)
        self.assertNotIn("missing", drawn)

    def test_a_folder_that_may_not_be_written_gets_no_image(self):
        os.chmod(self.folder, 0o555)
        self.refused(2, "create", "new.vhdx", "--size", "1G", preexec_fn=self.unprivileged())
        os.chmod(self.folder, 0o755)
        self.assertEqual(os.listdir(self.folder), [])

    def test_who_does_not_own_a_file_may_compact_it_but_not_keep_its_time(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give a file to somebody else")
        file = self.make("vhd dynamic", "8M")
        for pattern in ("7", "0"):
            self.ok("write", file, "--pattern", pattern, "--length", "4M")
        self.assertGreater(os.path.getsize(self.path(file)), 4 * MIB)
        os.utime(self.path(file), (10**9, 10**9))
        os.chmod(self.folder, 0o755)
        os.chmod(self.path(file), 0o666)
        self.ok("compact", file, preexec_fn=self.unprivileged())
        self.assertLess(os.path.getsize(self.path(file)), MIB)
        self.assertGreater(os.path.getmtime(self.path(file)), 10**9)

    def test_a_merge_that_cannot_remove_says_that_it_is_done(self):
        os.mkdir(self.path("d"))
        child = self.make("vhdx differencing", "8M", "d/disk")
        self.ok("write", child, data=b"changed")
        digest = self.json_of("hash", child)["digest"]
        os.chmod(self.folder, 0o755)
        for name in os.listdir(self.path("d")):
            os.chmod(self.path("d/" + name), 0o666)
        os.chmod(self.path("d"), 0o555)
        code, _, err = self.run_tool("merge", child, "--delete", preexec_fn=self.unprivileged())
        os.chmod(self.path("d"), 0o755)
        self.assertEqual(code, 2)
        self.assertIn("hint: the merge itself is done", err.decode())
        self.assertEqual(self.json_of("hash", "d/disk-base.vhdx")["digest"], digest)


class OtherProcesses(ToolCase):
    def reader_in_the_middle(self, file):
        """A `read` that waits, its pipe being full."""
        reader = self.start("read", file)
        self.addCleanup(reader.stdout.close)
        self.addCleanup(reader.stderr.close)
        self.assertEqual(len(reader.stdout.read(64 * KIB)), 64 * KIB)
        return reader

    def test_e09_a_file_that_is_cut_while_it_is_read_is_an_error_not_a_signal(self):
        for subtype in ("raw", "vhd fixed", "vhdx dynamic"):
            with self.subTest(subtype=subtype):
                file = self.make(subtype, "32M", subtype.replace(" ", "-"))
                self.ok("write", file, "--pattern", "7", "--length", "32M")
                reader = self.reader_in_the_middle(file)
                os.truncate(self.path(file), 5 * MIB)
                reader.stdout.read()
                self.assertEqual(reader.wait(), 2)
                self.assertIn(file, reader.stderr.read().decode())

    def test_e10_a_file_that_is_replaced_while_it_is_read_is_read_on(self):
        file = self.make("vhdx dynamic", "32M")
        self.ok("write", file, "--pattern", "7", "--length", "32M")
        expected = self.guest(file)
        reader = self.start("read", file)
        start = reader.stdout.read(64 * KIB)
        self.ok("create", "other.vhdx", "--size", "1M")
        os.replace(self.path("other.vhdx"), self.path(file))
        rest, _ = reader.communicate(timeout=60)
        self.assertEqual(reader.returncode, 0)
        self.assertEqual(start + rest, expected)

    def test_e11_readers_and_writers_exclude_each_other_unless_told(self):
        file = self.make("vhdx dynamic", "32M")
        self.ok("write", file, "--pattern", "7", "--length", "32M")
        reader = self.reader_in_the_middle(file)
        self.refused(2, "zero", file, "--length", "1M")
        self.ok("info", file)  # readers share
        reader.kill()
        reader.wait()
        writer = self.start("write", file, "--progress=json", stdin=subprocess.PIPE)
        self.addCleanup(writer.stderr.close)
        self.addCleanup(writer.stdout.close)
        self.assertIn(b"pending", writer.stderr.readline())
        self.refused(2, "info", file)
        self.ok("info", file, "--shared-read")
        self.refused(3, "zero", file, "--length", "1M", "--shared-read")
        writer.stdin.close()
        self.assertEqual(writer.wait(), 0)

    def test_e11_a_parent_in_use_by_a_child_is_not_written(self):
        for extension in (".vhd", ".vhdx"):
            base = self.make(f"{extension[1:]} dynamic", "32M")
            self.ok("write", base, "--pattern", "7", "--length", "32M")
            self.ok("snapshot", base, "child" + extension)
            reader = self.reader_in_the_middle("child" + extension)
            self.refused(2, "zero", base, "--length", "1M")
            reader.kill()
            reader.wait()

    def test_e13_a_parent_that_changed_is_refused_or_warned_of(self):
        child = self.make("vhdx differencing", "8M")
        self.ok("write", "disk-base.vhdx", "--pattern", "7", "--length", "1M")
        self.refused(2, "hash", child)
        self.ok("create", "base.vhd", "--size", "8M")
        self.ok("snapshot", "base.vhd", "child.vhd")
        os.utime(self.path("base.vhd"), (1700000000, 1700000000))
        warnings = self.json_of("info", "child.vhd", "--chain")["warnings"]
        self.assertIn("V36", [warning["id"] for warning in warnings])

    def test_e15_a_parent_that_is_no_regular_file_is_refused_at_once(self):
        child = self.make("vhdx differencing", "8M")
        os.unlink(self.path("disk-base.vhdx"))
        for make, remove in ((os.mkfifo, os.unlink), (os.mkdir, os.rmdir)):
            make(self.path("disk-base.vhdx"))
            start = time.monotonic()
            self.assertIn("not a regular file", self.refused(2, "hash", child))
            self.assertLess(time.monotonic() - start, 5)
            remove(self.path("disk-base.vhdx"))
        os.symlink("/dev/zero", self.path("disk-base.vhdx"))
        self.refused(2, "hash", child)

    def test_e16_a_folder_that_is_renamed_while_the_chain_is_open(self):
        os.mkdir(self.path("images"))
        base, child = "images/base.vhd", "images/child.vhd"
        self.ok("create", base, "--size", "32M")
        self.ok("write", base, "--pattern", "7", "--length", "32M")
        self.ok("snapshot", base, child)
        expected = self.guest(child)
        reader = self.start("read", child)
        start = reader.stdout.read(64 * KIB)
        os.rename(self.path("images"), self.path("moved"))
        rest, _ = reader.communicate(timeout=60)
        self.assertEqual(reader.returncode, 0)
        self.assertEqual(start + rest, expected)

    def test_e26_a_stopped_writer_still_holds_its_image(self):
        file = self.make("vhdx dynamic", "32M")
        writer = self.start("write", file, "--progress=json", stdin=subprocess.PIPE)
        self.addCleanup(writer.stderr.close)
        self.addCleanup(writer.stdout.close)
        self.assertIn(b"pending", writer.stderr.readline())
        writer.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        self.refused(2, "zero", file, "--length", "1M")
        self.assertLess(time.monotonic() - start, 5)
        writer.send_signal(signal.SIGCONT)
        writer.stdin.close()
        self.assertEqual(writer.wait(), 0)
        self.ok("check", file)


class LimitsAndClocks(ToolCase):
    def test_e19_a_file_size_limit_is_an_error_and_the_image_stays_good(self):
        limit = 12 * MIB

        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        for subtype in ("vhd dynamic", "vhdx dynamic", "vhd differencing", "vhdx differencing"):
            with self.subTest(subtype=subtype):
                file = self.make(subtype, "64M", subtype.replace(" ", "-"))
                self.ok("write", file, "--pattern", "7", "--length", "2M")
                self.refused(2, "write", file, "--pattern", "8", "--offset", "4M", "--length",
                             "32M", preexec_fn=limited)
                self.assertEqual(self.guest(file, "--length", "2M"), b"\x07" * (2 * MIB))
                self.ok("write", file, "--pattern", "9", "--length", "1M")
                self.ok("check", file)
        before = sorted(os.listdir(self.folder))
        self.refused(2, "create", "new.vhd", "--size", "64M", "--type", "fixed",
                     preexec_fn=limited)
        self.refused(2, "convert", "vhd-dynamic.vhd", "new.raw", preexec_fn=limited)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    @unittest.skipIf(SLOW, "the sanitizers need descriptors for their own checks")
    def test_e19_a_long_chain_with_few_descriptors_is_an_error(self):
        self.ok("create", "0.vhd", "--size", "4M")
        for index in range(1, 40):
            self.ok("snapshot", f"{index - 1}.vhd", f"{index}.vhd")

        def limited():
            resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        self.refused(2, "hash", "39.vhd", preexec_fn=limited)
        self.ok("hash", "39.vhd")

    @unittest.skipUnless(FAKE_CLOCK, "the clock cannot be faked in this build")
    def test_e20_no_clock_stops_an_image(self):
        for year in (1970, 1999, 2200):
            for extension in (".vhd", ".vhdx"):
                base, child = "base" + extension, "child" + extension
                moment = at_moment(datetime.datetime(year, 1, 1))
                for words in (["create", base, "--size", "8M", "--force"],
                              ["write", base, "--pattern", "7", "--length", "1M"],
                              ["snapshot", base, child, "--force"], ["hash", child],
                              ["check", child, "--chain"], ["merge", child]):
                    self.ok(*words, env=moment)
                created = self.json_of("info", base)["created"]
                if extension == ".vhd" and year < 2000:
                    self.assertIsNone(created)  # the smallest stamp says nothing
