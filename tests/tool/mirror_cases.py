"""mirror: follows a source that other processes write, until a signal comes."""
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from driver import KIB, MIB, ToolCase, filler, seeded

PATIENCE = 60  # seconds until a test gives up


class Mirroring:
    """A mirror that runs; its progress lines are read by a thread."""

    def __init__(self, case, *words):
        self.process = case.start("mirror", *words, "--progress=json")
        self.changed = threading.Condition()
        self.lines = []
        self.text = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        case.addCleanup(self.end)

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                if line.startswith(b"{"):
                    self.lines.append(json.loads(line))
                else:
                    self.text.append(line.decode())
                self.changed.notify_all()

    def in_step_since(self, line):
        """How many lines there were when it was in step, if one came after so many lines."""
        for index in range(line, len(self.lines)):
            found = self.lines[index]
            if found["current_value"] == found["completion_value"]:
                return index + 1
        return None

    def wait_until_in_step(self, after=0):
        with self.changed:
            if not self.changed.wait_for(lambda: self.in_step_since(after), PATIENCE):
                raise AssertionError(f"not in step: {self.lines[-3:]} {self.text}")
            return len(self.lines)

    def finish(self, *numbers, pause=0):
        for index, number in enumerate(numbers):
            time.sleep(pause if index else 0)
            self.process.send_signal(number)
        out = self.process.stdout.read()
        self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return self.process.returncode, out.decode(), "".join(self.text)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()


class Mirror(ToolCase):
    def setUp(self):
        super().setUp()
        self.random = seeded()
        self.ok("create", "disk.vhdx", "--size", "16M", "--block-size", "1M")
        self.write(0, filler(self.random, 256 * KIB))

    def write(self, offset, data):
        """The mirror holds the source for a moment when it looks at it."""
        end = time.monotonic() + PATIENCE
        while True:
            code, _, err = self.run_tool("write", "disk.vhdx", "--offset", offset, data=data)
            if code == 0:
                return
            self.assertIn(b"locked by another user", err)
            self.assertLess(time.monotonic(), end)

    def nothing_left(self):
        self.assertEqual([name for name in os.listdir(self.folder) if "copy" in name], [])

    def test_what_other_programs_write_is_caught_up_with(self):
        for copy in ("copy.vhdx", "copy.vhd", "copy.raw"):
            with self.subTest(copy):
                mirroring = Mirroring(self, "disk.vhdx", copy)
                seen = mirroring.wait_until_in_step()
                self.assertFalse(os.path.exists(self.path(copy)))
                self.write(5 * MIB, filler(self.random, 300 * KIB))
                mirroring.wait_until_in_step(seen)
                code, out, err = mirroring.finish(signal.SIGINT)
                self.assertEqual((code, err), (0, ""))
                self.assertRegex(out, rf"^mirrored {copy}: .*16 MiB; in step with disk.vhdx\n$")
                self.ok("compare", "disk.vhdx", copy)
                if not copy.endswith("raw"):
                    self.ok("check", copy)

    def test_a_signal_catches_up_once_more(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                mirroring = Mirroring(self, "disk.vhdx", "copy.vhdx", "--force", "--json")
                mirroring.wait_until_in_step()
                self.write(3 * MIB, filler(self.random, 64 * KIB))
                code, out, _ = mirroring.finish(number)
                self.assertEqual(code, 0)
                document = json.loads(out)
                self.assertEqual(document["path"], "copy.vhdx")
                self.assertIsNone(document["behind"])
                self.assertGreaterEqual(document["copied_bytes"], 256 * KIB)
                self.assertRegex(document["in_step_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.ok("compare", "disk.vhdx", "copy.vhdx")

    def test_while_the_source_is_written_the_copy_is_what_it_was(self):
        mirroring = Mirroring(self, "disk.vhdx", "copy.vhdx")
        mirroring.wait_until_in_step()
        before = self.digest("disk.vhdx")
        writer = None
        while writer is None:
            writer = self.writer_that_waits(filler(self.random, 4 * MIB))
        code, out, _ = mirroring.finish(signal.SIGINT)
        writer.communicate()
        self.assertEqual(writer.returncode, 0)
        self.assertEqual(code, 0)
        self.assertRegex(out, r"^mirrored copy.vhdx: .*; as disk.vhdx was at [-0-9T:]+Z; "
                              r"since then: disk.vhdx: locked by another user.*\n$")
        self.assertEqual(self.digest("copy.vhdx"), before)
        self.ok("check", "copy.vhdx")

    def writer_that_waits(self, data):
        """One that has written these data, and waits for more; None when it met the mirror."""
        before = os.stat(self.path("disk.vhdx")).st_mtime_ns
        writer = self.start("write", "disk.vhdx", "--offset", "8M", stdin=subprocess.PIPE)
        try:
            writer.stdin.write(data)
            writer.stdin.flush()
        except BrokenPipeError:
            pass
        end = time.monotonic() + PATIENCE
        while os.stat(self.path("disk.vhdx")).st_mtime_ns == before:
            self.assertLess(time.monotonic(), end)
            if writer.poll() is not None:
                writer.stdout.close()
                writer.stderr.close()
                return None
        return writer

    def digest(self, name):
        return self.ok("hash", name).split()[0]

    def test_a_signal_before_the_first_copy_is_complete_leaves_nothing(self):
        for size in (256, 1024, 2048):
            with open(self.path("big.raw"), "wb") as file:
                block = os.urandom(MIB)
                for _ in range(size):
                    file.write(block)
            mirroring = Mirroring(self, "big.raw", "copy.vhdx")
            with mirroring.changed:
                mirroring.changed.wait_for(lambda: mirroring.lines, PATIENCE)
            code, out, err = mirroring.finish(signal.SIGINT)
            if code == 130:
                break
            os.remove(self.path("copy.vhdx"))  # a fast machine: it was in step already
        self.assertEqual((code, out), (130, ""))
        self.assertIn("vdisk-tool: ", err)
        self.assertEqual(mirroring.lines[-1]["operation_status"], "canceled")
        self.nothing_left()

    def test_a_signal_that_comes_twice_at_once_is_one(self):
        mirroring = Mirroring(self, "disk.vhdx", "copy.vhdx")
        mirroring.wait_until_in_step()
        self.write(0, filler(self.random, 8 * MIB))
        self.assertEqual(mirroring.finish(signal.SIGINT, signal.SIGTERM)[0], 0)
        self.ok("compare", "disk.vhdx", "copy.vhdx")

    def test_two_signals_leave_a_whole_copy_or_nothing(self):
        mirroring = Mirroring(self, "disk.vhdx", "copy.vhdx")
        mirroring.wait_until_in_step()
        self.write(0, filler(self.random, 8 * MIB))
        code, _, _ = mirroring.finish(signal.SIGINT, signal.SIGTERM, pause=0.25)
        self.assertIn(code, (0, 130, 143))
        if code == 0:
            self.ok("compare", "disk.vhdx", "copy.vhdx")
        else:
            self.nothing_left()

    def test_another_disk_in_the_sources_place_ends_it(self):
        mirroring = Mirroring(self, "disk.vhdx", "copy.vhdx")
        mirroring.wait_until_in_step()
        self.ok("create", "other.vhdx", "--size", "16M")
        os.replace(self.path("other.vhdx"), self.path("disk.vhdx"))
        code, out, err = mirroring.finish()
        self.assertEqual((code, out), (2, ""))
        self.assertIn("disk.vhdx: disk: ", err)
        self.assertIn("hint: ", err)
        self.nothing_left()

    def test_a_source_that_vanishes_leaves_its_copy(self):
        before = self.digest("disk.vhdx")
        mirroring = Mirroring(self, "disk.vhdx", "copy.vhdx")
        mirroring.wait_until_in_step()
        os.remove(self.path("disk.vhdx"))
        code, out, _ = mirroring.finish(signal.SIGTERM)
        self.assertEqual(code, 0)
        self.assertIn("since then: disk.vhdx: ", out)
        self.assertEqual(self.digest("copy.vhdx"), before)

    def test_a_chain_is_mirrored_as_a_whole(self):
        self.ok("snapshot", "disk.vhdx", "child.vhdx")
        self.ok("write", "child.vhdx", "--offset", "1M", data=filler(self.random, 4096))
        mirroring = Mirroring(self, "child.vhdx", "copy.vhdx")
        mirroring.wait_until_in_step()
        self.assertEqual(mirroring.finish(signal.SIGINT)[0], 0)
        self.assertIsNone(self.json_of("info", "copy.vhdx")["parent"])
        self.ok("compare", "child.vhdx", "copy.vhdx")

    def test_says_once_that_it_is_in_step(self):
        process = self.start("mirror", "disk.vhdx", "copy.vhdx")
        line = process.stderr.readline()
        self.assertEqual(line, b"vdisk-tool: copy.vhdx is in step with disk.vhdx; "
                               b"Ctrl-C gives it its name\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assertIn(b"mirrored copy.vhdx: ", out)

    def test_what_is_refused(self):
        self.assertIn("is the source itself", self.refused(2, "mirror", "disk.vhdx", "disk.vhdx"))
        self.ok("create", "copy.vhdx", "--size", "1M")
        self.assertIn("exists already", self.refused(2, "mirror", "disk.vhdx", "copy.vhdx"))
        self.refused(2, "mirror", "missing.vhdx", "new.vhdx")
        self.refused(3, "mirror", "disk.vhdx", "new.vhdx", "--size", "1M")


if __name__ == "__main__":
    unittest.main()
