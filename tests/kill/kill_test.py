#!/usr/bin/env python3
"""Kills vdisk-tool at random moments of its jobs and looks at what is left (HOSTILE K-11).

    kill_test.py PATH_OF_VDISK_TOOL

Each job is killed VDISK_KILLS times (default 20) with SIGKILL, at moments spread evenly over the
time that it takes undisturbed. The seed is printed; VDISK_SEED repeats it. What a kill leaves is
what the operating system was told so far: the states of a power loss are those of the crash tests.
"""
import glob
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tool"))
from driver import GIB, KIB, MIB, TIB, ToolCase  # noqa: E402

KILLS = int(os.environ.get("VDISK_KILLS", 20))
SEED = int(os.environ.get("VDISK_SEED", random.SystemRandom().randrange(1 << 32)))
SECTOR = 512
DISK = 24 * MIB
EXTENSIONS = (".vhd", ".vhdx")


class KillCase(ToolCase):
    """One job, killed again and again; each time in a fresh copy of the prepared folder."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(f"{SEED} {self.id()}")
        self.prepared = tempfile.mkdtemp(prefix="vdisk-kill-")
        self.addCleanup(shutil.rmtree, self.prepared, ignore_errors=True)

    def keep_prepared(self):
        shutil.rmtree(self.prepared)
        shutil.copytree(self.folder, self.prepared)

    def restore(self):
        for name in os.listdir(self.folder):
            os.unlink(self.path(name))
        for name in os.listdir(self.prepared):
            shutil.copy(os.path.join(self.prepared, name), self.path(name))

    def kill_at(self, seconds, words, data):
        """Whether the job was killed; False when it had ended before."""
        with open(os.devnull, "wb") as sink:
            source = open(data, "rb") if data else None
            process = self.start(*words, stdout=sink, stdin=source, stderr=sink)
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            code = process.wait()
            if source:
                source.close()
        self.assertIn(code, (0, -signal.SIGKILL))
        return code != 0

    def undisturbed(self, words, data):
        self.restore()
        start = time.monotonic()
        with open(data, "rb") if data else open(os.devnull, "rb") as source:
            code, _, err = self.run_tool(*words, stdin=source)
        self.assertEqual(code, 0, err)
        return time.monotonic() - start

    def kill_often(self, words, look, data=None):
        """Runs the job undisturbed for its duration, then kills it; look(killed) after each."""
        self.keep_prepared()
        duration = min(self.undisturbed(words, data) for _ in range(3))
        look(False)
        span = duration * 1.1
        killed = runs = 0
        while runs < KILLS or (killed <= KILLS // 5 and runs < 10 * KILLS):
            self.restore()
            moment = span * (runs % KILLS + self.random.random()) / KILLS
            was_killed = self.kill_at(moment, words, data)
            runs += 1
            killed += was_killed
            if not was_killed:  # a busy machine measured too long a duration
                span = max(span * 0.9, duration / 50)
            with self.subTest(moment=moment, seed=SEED):
                look(was_killed)
        print(f"{self.id()}: {killed} of {runs} killed in {duration * 1000:.0f} ms", flush=True)
        self.assertGreater(killed, KILLS // 5, "too few kills came in time to prove anything")

    # -- what must hold

    def findings(self, image):
        code, out, err = self.run_tool("check", image, "--json")
        self.assertIn(code, (0, 1), err)
        return json.loads(out)["findings"]

    def assert_no_damage(self, image):
        """Nothing but what the next writer settles by itself: a dirty log, a stale footer copy."""
        errors = [f for f in self.findings(image)
                  if f["severity"] == "error"]
        self.assertEqual(errors, [], image)

    def assert_clean_after_recovery(self, image):
        """Opening for writing recovers; a sector is written with what it holds."""
        sector = self.guest(image, "--offset", 0, "--length", SECTOR)
        self.ok("write", image, "--offset", 0, data=sector)
        bad = [f for f in self.findings(image) if f["severity"] != "info"]
        self.assertEqual(bad, [], image)

    def digest(self, image):
        return self.json_of("hash", image)["digest"]

    def fill(self, image, pattern_of_block, size=DISK, block=MIB):
        """Content in two of three blocks, different in each."""
        for index in range(size // block):
            if index % 3 != 2:
                data = bytes([pattern_of_block(index) & 0xFF]) * (block - 3 * SECTOR)
                self.ok("write", image, "--offset", index * block + SECTOR, data=data)

    def temporaries(self):
        return glob.glob(self.path(".*vdisk-tmp-*"))


class NewFiles(KillCase):
    """create and convert: absent or old, or complete; a leftover has a name that says so."""

    def look_at_new(self, name, expected):
        def look(killed):
            self.assertLessEqual(len(self.temporaries()), 1 if killed else 0)
            if os.path.exists(self.path(name)):
                self.assertEqual(self.digest(name), expected)
                self.assertEqual(self.findings(name), [])
            else:
                self.assertTrue(killed)
        return look

    def make_source(self):
        self.ok("create", "source.vhdx", "--size", DISK, "--block-size", "1M")
        self.fill("source.vhdx", lambda index: index + 1)

    def test_convert(self):
        self.make_source()
        expected = self.digest("source.vhdx")
        for extension, options in ((".vhd", []), (".vhdx", []), (".vhd", ["--type", "fixed"])):
            words = ["convert", "source.vhdx", "new" + extension, *options]
            with self.subTest(words=words):
                self.kill_often(words, self.look_at_new("new" + extension, expected))
            self.restore()

    def test_convert_over_an_old_file(self):
        self.make_source()
        self.ok("create", "new.vhd", "--size", "4M")
        new, old = self.digest("source.vhdx"), self.digest("new.vhd")

        def look(killed):
            self.assertIn(self.digest("new.vhd"), (new, old) if killed else (new,))
            self.assertEqual(self.findings("new.vhd"), [])
        self.kill_often(["convert", "source.vhdx", "new.vhd", "--force"], look)

    def test_create(self):
        for extension in EXTENSIONS:
            words = ["create", "new" + extension, "--size", "64M", "--type", "fixed"]

            def look(killed):
                if os.path.exists(self.path(words[1])):
                    self.assertEqual(self.json_of("info", words[1])["virtual_size"], 64 * MIB)
                    self.assertEqual(self.findings(words[1]), [])
                else:
                    self.assertTrue(killed)
            self.kill_often(words, look)
            self.restore()


class InPlace(KillCase):
    """write and expand: old or new values, and nothing else."""

    def prepare(self, extension, child):
        name = "disk" + extension
        self.ok("create", "base" + extension, "--size", DISK, "--block-size", "2M")
        self.fill("base" + extension, lambda index: index + 1)
        if child:
            self.ok("create", name, "--parent", "base" + extension)
        else:
            os.rename(self.path("base" + extension), self.path(name))
        return name

    def test_write(self):
        new = self.random.randbytes(DISK - 5 * MIB)
        source = os.path.join(self.prepared + "-input")
        with open(source, "wb") as file:
            file.write(new)
        self.addCleanup(os.unlink, source)
        for extension in EXTENSIONS:
            for child in (False, True):
                with self.subTest(extension=extension, child=child):
                    self.write_killed(self.prepare(extension, child), new, source)
                for name in os.listdir(self.folder):
                    os.unlink(self.path(name))

    def write_killed(self, disk, new, source):
        offset = 2 * MIB + SECTOR
        old = self.guest(disk)

        def look(killed):
            self.assert_no_damage(disk)
            self.assert_old_or_new(self.guest(disk), old, new, offset, killed)
            before = self.digest(disk)
            self.assert_clean_after_recovery(disk)
            self.assertEqual(self.digest(disk), before)
        self.kill_often(["write", disk, "--offset", offset], look, source)

    def assert_old_or_new(self, found, old, new, offset, killed):
        end = offset + len(new)
        self.assertEqual(found[:offset], old[:offset])
        self.assertEqual(found[end:], old[end:])
        if not killed:
            self.assertEqual(found[offset:end], new)
            return
        for at in range(0, len(new), SECTOR):
            sector = found[offset + at:offset + at + SECTOR]
            if sector != new[at:at + SECTOR]:
                self.assertEqual(sector, old[offset + at:offset + at + SECTOR], hex(offset + at))

    def test_expand(self):
        for extension, size in ((".vhd", 500 * GIB), (".vhdx", TIB)):
            disk = self.prepare(extension, False)
            old = self.guest(disk)

            def look(killed):
                self.assert_no_damage(disk)
                found = self.json_of("info", disk)["virtual_size"]
                self.assertIn(found, (DISK, size) if killed else (size,))
                self.assertEqual(self.guest(disk, "--offset", 0, "--length", DISK), old)
                self.assert_clean_after_recovery(disk)
                self.ok("expand", disk, "--size", size)
                self.assertEqual(self.guest(disk, "--offset", 0, "--length", DISK), old)
            with self.subTest(extension=extension):
                self.kill_often(["expand", disk, "--size", size], look)
            for name in os.listdir(self.folder):
                os.unlink(self.path(name))


class Merges(KillCase):
    """merge: the leaf reads the same at every instant, and a rerun finishes."""

    def prepare(self, extension):
        previous = None
        for index in range(3):
            name = f"{index}{extension}"
            if previous:
                self.ok("create", name, "--parent", previous)
            else:
                self.ok("create", name, "--size", DISK, "--block-size", "2M")
            self.fill(name, lambda block, layer=index: block * 3 + layer + 1,
                      block=(5 + index) * 128 * KIB)
            previous = name
        return previous

    def test_merge(self):
        for extension in EXTENSIONS:
            for delete in (False, True):
                with self.subTest(extension=extension, delete=delete):
                    self.merge_killed(self.prepare(extension), delete)
                for name in os.listdir(self.folder):
                    os.unlink(self.path(name))

    def merge_killed(self, leaf, delete):
        base = "0" + leaf[1:]
        view = self.digest(leaf)
        words = ["merge", leaf, "--all"] + (["--delete"] if delete else [])

        def look(killed):
            present = sorted(os.listdir(self.folder))
            self.assertIn(base, present)
            for name in present:
                self.assert_no_damage(name)
            if leaf in present:
                self.assertEqual(self.digest(leaf), view)
                self.ok(*words)
            self.assertEqual(self.digest(base), view)
            self.assertEqual(leaf in os.listdir(self.folder), not delete)
            self.assert_clean_after_recovery(base)
        self.kill_often(words, look)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ["VDISK_TOOL"] = os.path.abspath(sys.argv.pop(1))
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"  # a kill loses nothing that a disk would have to keep
    print(f"seed {SEED}, {KILLS} kills of each job", flush=True)
    unittest.main(verbosity=1)
