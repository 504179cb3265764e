"""convert beyond plain copies: streams, gzip, one layer, profiles; check --profile."""
import gzip
import hashlib
import os
import shutil
import signal
import struct
import subprocess
import time
import unittest

from driver import GIB, KIB, MIB, TIMEOUT, ToolCase, filler, seeded

SIZE = 5 * MIB + 512


class Streams(ToolCase):
    def setUp(self):
        super().setUp()
        self.data = filler(seeded(), MIB) + bytes(2 * MIB) + b"end" * 512 + bytes(SIZE - 3 * MIB
                                                                                 - 1536)
        self.write_file("s.raw", self.data)
        self.ok("convert", "s.raw", "s.vhdx")

    def test_raw_is_the_disk_and_its_size_is_known_before(self):
        out = self.ok("convert", "s.vhdx", "-")
        self.assertEqual(out, self.data)
        self.assertEqual(self.ok("convert", "s.vhdx", "-", "--measure"), b"%d\n" % SIZE)
        measured = self.json_of("convert", "s.vhdx", "-", "--format", "vhd", "--measure")
        self.assertEqual(measured["stream_bytes"], SIZE + 512)
        self.assertEqual(measured["type"], "fixed")

    def test_a_fixed_vhd_and_a_fixed_vhdx_are_what_other_readers_expect(self):
        for options in (["--format", "vhd"], ["--format", "vhd", "--type", "fixed"],
                        ["--format", "vhdx", "--type", "fixed"], ["--profile", "azure"]):
            with self.subTest(options):
                image = self.ok("convert", "s.vhdx", "-", *options)
                name = "out.vhdx" if "vhdx" in options else "out.vhd"
                self.write_file(name, image)
                self.ok("check", name)
                measured = self.ok("convert", "s.vhdx", "-", "--measure", *options)
                self.assertEqual(int(measured), len(image))
                self.assertEqual(self.guest(name)[:SIZE], self.data)
                if shutil.which("qemu-img"):
                    kind = "vhdx" if name.endswith("x") else "vpc,force_size_calc=current_size"
                    source = f"driver={kind},file.driver=file,file.filename={self.path(name)}"
                    raw = f"driver=raw,file.driver=file,file.filename={self.path('s.raw')}"
                    subprocess.run(["qemu-img", "compare", "--image-opts", source, raw], check=True,
                                   stdout=subprocess.DEVNULL)

    def test_what_cannot_be_streamed_is_refused_with_what_can(self):
        for options in (["--format", "vhdx"], ["--format", "vhd", "--type", "dynamic"],
                        ["--profile", "hyperv"]):
            with self.subTest(options):
                line = self.refused(3, "convert", "s.vhdx", "-", *options)
                self.assertIn("--type fixed", line)
        self.refused(3, "convert", "s.vhdx", "-", "--verify")
        self.refused(3, "convert", "s.vhdx", "-", "--json")
        self.refused(3, "convert", "-", "-", data=b"")
        self.refused(3, "convert", "s.vhdx", "out.vhdx.gz")
        self.refused(2, "convert", "missing.vhdx", "-")
        self.assertEqual(sorted(self.contents()), ["s.raw", "s.vhdx"])

    def test_a_terminal_is_refused(self):
        leader, follower = os.openpty()
        self.addCleanup(os.close, leader)
        process = self.start("convert", "s.vhdx", "-", stdout=follower)
        os.close(follower)
        _, err = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 3)
        self.assertIn(b"terminal", err)

    def test_verbose_says_what_went_on_the_standard_error(self):
        code, out, err = self.run_tool("convert", "s.vhdx", "-", "--verbose")
        self.assertEqual((code, out), (0, self.data))
        self.assertIn(f"{SIZE} bytes".encode(), err)

    def test_a_reader_that_stops_does_not_keep_ctrl_c_waiting(self):
        self.ok("create", "big.raw", "--size", "1G")
        process = self.start("convert", "big.raw", "-")
        process.stdout.read(4096)  # the pipe fills up, the tool waits
        process.send_signal(signal.SIGINT)
        process.wait(timeout=TIMEOUT)
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.returncode, 130)

    def test_a_reader_that_leaves_ends_it_silently(self):
        self.ok("create", "big.raw", "--size", "1G")
        process = self.start("convert", "big.raw", "-")
        process.stdout.read(4096)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=TIMEOUT), 141)
        self.assertEqual(err, b"")

    def test_standard_input_raw_or_by_its_signature(self):
        self.ok("convert", "-", "in.vhdx", "--source-format", "raw", "--verify", data=self.data)
        self.assertEqual(self.guest("in.vhdx"), self.data)
        self.ok("convert", "-", "copy.raw", data=self.read_file("s.vhdx"))
        self.assertEqual(self.read_file("copy.raw"), self.data)
        self.refused(2, "convert", "-", "no.vhdx", data=self.data)
        self.assertNotIn("no.vhdx", self.contents())

    def test_a_stalled_standard_input_does_not_keep_ctrl_c_waiting(self):
        process = self.start("convert", "-", "in.vhdx", "--source-format", "raw",
                             stdin=subprocess.PIPE)
        process.stdin.write(b"x" * 4096)
        process.stdin.flush()
        deadline = time.monotonic() + TIMEOUT
        while not any(name.startswith(".in.vhdx") for name in os.listdir(self.folder)):
            self.assertLess(time.monotonic(), deadline)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()
        self.assertEqual(sorted(self.contents()), ["s.raw", "s.vhdx"])

    def test_behind_two_dashes_a_dash_is_a_name(self):
        self.ok("create", "--size", "1M", "--format", "raw", "--", "-")
        self.assertIn("-", self.contents())
        self.ok("convert", "--source-format", "raw", "--format", "vhdx", "--", "-", "x.vhdx")
        self.assertEqual(self.guest("x.vhdx"), bytes(MIB))


class Gzip(ToolCase):
    def setUp(self):
        super().setUp()
        self.data = filler(seeded(), 3 * MIB) + bytes(5 * MIB)
        self.write_file("s.raw", self.data)

    def test_out_is_what_gzip_reads(self):
        self.ok("convert", "s.raw", "s.raw.gz", "--verify")
        self.assertEqual(gzip.decompress(self.read_file("s.raw.gz")), self.data)
        self.ok("convert", "s.raw", "s.vhd.gz")
        fixed = gzip.decompress(self.read_file("s.vhd.gz"))
        self.assertEqual(fixed[:8 * MIB], self.data)
        self.assertEqual(fixed[8 * MIB:8 * MIB + 8], b"conectix")
        self.ok("convert", "s.raw", "packed", "--format", "raw", "--gzip", "--gzip-level", "1")
        self.assertEqual(gzip.decompress(self.read_file("packed")), self.data)
        streamed = self.ok("convert", "s.raw", "-", "--gzip")
        self.assertEqual(gzip.decompress(streamed), self.data)
        self.assertLess(len(streamed), len(self.data))
        same = self.ok("convert", "s.raw", "-", "--gzip")
        self.assertEqual(streamed, same)  # nothing but the content decides the bytes
        self.refused(2, "convert", "s.raw", "s.raw.gz")

    def test_in_by_content_whatever_the_name_is(self):
        self.ok("convert", "s.raw", "s.vhdx", "--block-size", "1M")
        for name in ("s.vhdx", "s.raw"):
            packed = gzip.compress(self.read_file(name))
            self.write_file(name + ".gz", packed)
            self.ok("convert", name + ".gz", "back.raw", "--force", "--verify")
            self.assertEqual(self.read_file("back.raw"), self.data)
            self.assertEqual(self.ok("convert", name + ".gz", "-"), self.data)
        self.write_file("odd-name", gzip.compress(self.read_file("s.vhdx")))
        self.ok("create", "from-source.vhd", "--source", "odd-name")
        self.assertEqual(self.guest("from-source.vhd"), self.data)

    def test_damage_is_one_line_and_leaves_nothing(self):
        packed = gzip.compress(self.data)
        self.write_file("cut.raw.gz", packed[:-100])
        self.write_file("bad.raw.gz", packed[:2000] + b"\xff" * 50 + packed[2050:])
        self.write_file("tail.raw.gz", packed + b"garbage")
        self.write_file("text.gz", gzip.compress(b"no disk" * 1000))
        for name in ("cut.raw.gz", "bad.raw.gz", "tail.raw.gz", "text.gz"):
            with self.subTest(name):
                line = self.refused(2, "convert", name, "out.vhdx")
                self.assertIn(name, line)
        self.assertNotIn("out.vhdx", self.contents())
        self.refused(3, "convert", "s.raw", "x.raw.gz", "--gzip-level", "10")

    def test_a_damaged_standard_input_is_named_so(self):
        line = self.refused(2, "convert", "-", "out.vhdx",
                            data=gzip.compress(self.data)[:-100])
        self.assertIn("standard input", line)
        self.assertNotIn("vdisk-tmp", line)
        self.assertNotIn("out.vhdx", self.contents())

    def test_the_size_of_a_compressed_stream_is_not_known_beforehand(self):
        before = self.contents()
        for words in (["-", "--gzip"], ["o.raw.gz"], ["o.raw.GZ"], ["o.vhd.gz"],
                      ["o.raw", "--gzip"]):
            with self.subTest(words):
                self.assertIn("--measure",
                              self.refused(3, "convert", "s.raw", *words, "--measure"))
        self.assertEqual(self.contents(), before)

    def test_a_level_without_compression_is_refused(self):
        before = self.contents()
        for words in (["o.raw"], ["o.vhdx"], ["-"]):
            self.assertIn("--gzip-level", self.refused(3, "convert", "s.raw", *words,
                                                       "--gzip-level", "3"))
        self.assertEqual(self.contents(), before)
        self.ok("convert", "s.raw", "o.raw.GZ", "--gzip-level", "3")
        self.assertEqual(gzip.decompress(self.read_file("o.raw.GZ")), self.data)

    def test_other_verbs_say_that_they_do_not_read_it(self):
        self.write_file("s.vhdx.gz", gzip.compress(self.data))
        line = self.refused(2, "info", "s.vhdx.gz")
        self.assertIn("s.vhdx.gz", line)

    def test_a_gzipped_child_finds_its_parent(self):
        self.ok("convert", "s.raw", "base.vhdx")
        self.ok("snapshot", "base.vhdx", "child.vhdx")
        self.ok("write", "child.vhdx", "--offset", "4M", data=b"child")
        self.write_file("child.vhdx.gz", gzip.compress(self.read_file("child.vhdx")))
        self.ok("convert", "child.vhdx.gz", "whole.raw")
        self.ok("compare", "child.vhdx", "whole.raw", "--strict")


class Layers(ToolCase):
    def test_only_what_the_file_itself_stores(self):
        for extension in (".vhd", ".vhdx"):
            with self.subTest(extension):
                self.ok("create", "base" + extension, "--size", "4M")
                self.ok("write", "base" + extension, "--length", "4M", "--pattern", "1")
                self.ok("snapshot", "base" + extension, "child" + extension)
                self.ok("write", "child" + extension, "--offset", "1M", data=b"\2" * 512)
                self.ok("convert", "child" + extension, "layer.raw", "--layer", "--force")
                expected = bytearray(4 * MIB)
                expected[MIB:MIB + 512] = b"\2" * 512
                self.assertEqual(self.read_file("layer.raw"), expected)


class Reports(ToolCase):
    def test_json_and_verbose_say_how_it_came_over(self):
        self.ok("create", "d.vhdx", "--size", "8M", "--block-size", "1M")
        self.ok("write", "d.vhdx", "--length", "1M", "--pattern", "7")
        made = self.json_of("convert", "d.vhdx", "d.raw", "--verify", "--clone", "never")
        self.assertEqual(made["written_bytes"], MIB)
        self.assertEqual(made["cloned_bytes"], 0)
        self.assertEqual(made["source_size"], 8 * MIB)
        self.assertEqual(made["digest"], self.json_of("hash", "d.vhdx")["digest"])
        _, _, err = self.run_tool("convert", "d.vhdx", "d.vhd", "--verbose")
        self.assertIn(b"1048576 bytes written, 0 cloned", err)
        self.assertIsNone(self.json_of("convert", "d.vhdx", "d2.vhd")["digest"])


class Profiles(ToolCase):
    def test_azure_takes_whole_mib_and_an_exact_footer(self):
        self.write_file("s.raw", b"x" * 512 * 2049)  # 1 MiB and a sector
        out = self.ok("convert", "s.raw", "a.vhd", "--profile", "azure", "--verify").decode()
        self.assertIn("rounded up from 1049088 to 2097152 bytes; verified", out)
        image = self.read_file("a.vhd")
        self.assertEqual(len(image), 2 * MIB + 512)
        footer = image[-512:]
        self.assertEqual(footer[:8], b"conectix")
        self.assertEqual(footer[8:16], struct.pack(">II", 2, 0x00010000))
        self.assertEqual(footer[16:24], b"\xff" * 8)
        self.assertEqual(struct.unpack(">QQ", footer[40:56]), (2 * MIB, 2 * MIB))
        self.assertEqual(struct.unpack(">I", footer[60:64])[0], 2)
        total = sum(footer) - sum(footer[64:68])
        self.assertEqual(struct.unpack(">I", footer[64:68])[0], ~total & 0xFFFFFFFF)
        self.assertEqual(footer[84:], bytes(428))
        self.ok("check", "a.vhd", "--profile", "azure")

    def test_azure_rounds_a_source_of_create_too(self):
        self.write_file("s.raw", b"x" * 512)
        self.ok("create", "a.vhd", "--source", "s.raw", "--profile", "azure")
        self.assertEqual(os.path.getsize(self.path("a.vhd")), MIB + 512)

    def test_check_says_why_a_platform_would_not_take_an_image(self):
        self.ok("create", "d.vhdx", "--size", "8M")
        code, out, _ = self.run_tool("check", "d.vhdx", "--profile", "azure")
        self.assertEqual(code, 1)
        self.assertIn(b"profile-format", out)
        self.ok("create", "odd.vhd", "--size", 3 * MIB + 512, "--type", "fixed")
        code, out, _ = self.run_tool("check", "odd.vhd", "--profile", "azure", "--json")
        self.assertEqual(code, 1)
        self.assertIn(b"profile-size", out)
        self.ok("create", "dyn.vhd", "--size", "3M")
        code, out, _ = self.run_tool("check", "dyn.vhd", "--profile", "azure")
        self.assertEqual(code, 1)
        self.assertIn(b"profile-type", out)
        with open(self.path("odd.vhd"), "rb") as file:
            image = file.read()
        self.write_file("gap.vhd", image[:3 * MIB] + bytes(512 + 512) + image[-512:])
        code, out, _ = self.run_tool("check", "gap.vhd", "--profile", "azure")
        self.assertEqual(code, 1)
        self.refused(3, "check", "d.vhdx", "--profile", "aws")

    def test_what_create_makes_for_a_profile_passes_its_check(self):
        for profile, extension in (("azure", "vhd"), ("hyperv", "vhdx"), ("wsl", "vhdx"),
                                   ("xen", "vhd"), ("virtualbox", "vhd"), ("qemu", "vhdx")):
            with self.subTest(profile):
                name = f"{profile}.{extension}"
                self.ok("create", name, "--size", "12M", "--profile", profile)
                self.ok("check", name, "--profile", profile)
                self.ok("convert", "azure.vhd", f"c-{name}", "--profile", profile)
                self.ok("check", f"c-{name}", "--profile", profile)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("mkfs.xfs"),
                     "needs root and mkfs.xfs: a file system that clones")
class Cloning(ToolCase):
    def setUp(self):
        super().setUp()
        self.volume = self.path("volume")
        os.mkdir(self.volume)
        with open(self.path("xfs.img"), "wb") as file:
            file.truncate(512 * MIB)
        made = subprocess.run(["mkfs.xfs", "-q", self.path("xfs.img")], stderr=subprocess.PIPE)
        mounted = made.returncode == 0 and subprocess.run(
            ["mount", "-o", "loop", self.path("xfs.img"), self.volume],
            stderr=subprocess.PIPE).returncode == 0
        if not mounted:
            self.skipTest("cannot mount XFS here")
        self.addCleanup(subprocess.run, ["umount", self.volume])

    def inside(self, name):
        return os.path.join("volume", name)

    def test_ranges_are_shared_where_the_host_can(self):
        data = filler(seeded(), 32 * MIB)
        with open(self.path(self.inside("s.raw")), "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        for target, options in (("a.vhd", ["--type", "fixed"]), ("b.raw", []),
                                ("c.vhdx", ["--clone", "always"]),
                                ("d.vhd", ["--clone", "always"])):
            with self.subTest(target):
                made = self.json_of("convert", self.inside("s.raw"), self.inside(target),
                                    "--verify", *options)
                self.assertEqual(made["cloned_bytes"], 32 * MIB)
                self.assertEqual(made["written_bytes"], 0)
                self.assertEqual(hashlib.sha256(self.guest(self.inside(target))).digest(),
                                 hashlib.sha256(data).digest())
                self.ok("check", self.inside(target))
        made = self.json_of("convert", self.inside("c.vhdx"), self.inside("e.raw"))
        self.assertEqual(made["cloned_bytes"], 32 * MIB)
        made = self.json_of("convert", self.inside("s.raw"), self.inside("f.vhdx"))
        self.assertEqual(made["cloned_bytes"], 0)  # zeros are to be found and left out

    def test_another_file_system_is_copied_to_without_a_word(self):
        with open(self.path("s.raw"), "wb") as file:
            file.write(b"x" * 4 * MIB)
        made = self.json_of("convert", "s.raw", self.inside("a.raw"))
        self.assertEqual((made["cloned_bytes"], made["written_bytes"]), (0, 4 * MIB))


if __name__ == "__main__":
    unittest.main()
