"""The command lines and surroundings of the catalogue: K-01 to K-16."""
import datetime
import json
import os
import resource
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time
import unicodedata
import unittest
from pathlib import Path

from driver import FAKE_CLOCK, GIB, MIB, SLOW, SUBTYPES, TIB, ToolCase, at_moment

for folder in ("hostile", "interop"):
    sys.path.append(str(Path(__file__).parent.parent / folder))

import vhdx_chain_cases  # noqa: E402
import vhdx_image  # noqa: E402

BAD_SIZES = ["0", "-1", "1e99", "18446744073709551616", "64T+1", "0x10", "0.3", "", " ", " 10G",
             "10GG", "nan"]


def vhd_checksum(sector):
    body = sector[:64] + bytes(4) + sector[68:]
    return ~sum(body) & 0xFFFFFFFF


class Outputs(ToolCase):
    def setUp(self):
        super().setUp()
        self.ok("create", "disk.vhdx", "--size", "8M", "--block-size", "1M")
        self.ok("write", "disk.vhdx", "--length", "1M", "--pattern", "1")

    def commands_to(self, target):
        return (("create", target, "--size", "1M"),
                ("create", target, "--source", "disk.vhdx"),
                ("convert", "disk.vhdx", target),
                ("snapshot", "disk.vhdx", target),
                ("read", "disk.vhdx", "--output", target))

    def test_k01_existing_outputs_stay_without_force(self):
        self.write_file("old.vhdx", b"precious")
        before = self.contents()
        for words in self.commands_to("old.vhdx"):
            self.assertIn("exists", self.refused(2, *words))
            self.assertEqual(self.contents(), before)
        for words in self.commands_to("old.vhdx"):
            self.ok(*words, "--force")

    def test_k02_source_and_destination_being_one_file_is_refused_always(self):
        os.link(self.path("disk.vhdx"), self.path("hard.vhdx"))
        os.symlink("disk.vhdx", self.path("soft.vhdx"))
        before = self.contents()
        for target in ("disk.vhdx", "./disk.vhdx", self.path("disk.vhdx"), "hard.vhdx",
                       "soft.vhdx"):
            for words in self.commands_to(target)[1:]:
                with self.subTest(words):
                    self.refused(2, *words, "--force")
                    self.refused(2, *words)
                    self.assertEqual(self.contents(), before)

    def test_k02_a_bind_mount_is_the_same_file(self):
        """The same inode below another mount point, in a user namespace of our own."""
        os.mkdir(self.path("elsewhere"))
        before = self.contents()
        script = f"""mount --bind . elsewhere && {shlex.quote(self.tool)} convert disk.vhdx \
            elsewhere/disk.vhdx --force; echo "exit $?" """
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script], cwd=self.folder,
                              capture_output=True)
        if b"exit" not in done.stdout or b"mount:" in done.stderr or b"unshare:" in done.stderr:
            self.skipTest(f"no namespaces here: {done.stderr.decode()}")
        self.assertIn(b"exit 2", done.stdout)
        self.assertIn(b"is the source itself", done.stderr)
        self.assertEqual(self.contents(), before)

    def test_k03_after_two_dashes_everything_is_a_name(self):
        for name in ("-", "--help", "-f"):
            self.ok("create", "--size", "1M", "--format", "vhdx", "--", name)
            self.assertIn(name.encode(), self.ok("info", "--", name))
            self.assertTrue(os.path.exists(self.path(name)))
            self.ok("convert", "--format", "vhd", "--", name, name + ".copy")

    def test_k04_only_regular_files(self):
        os.mkdir(self.path("folder.vhdx"))
        os.mkfifo(self.path("pipe.vhdx"))
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path("socket.vhdx"))
        terminal, other_end = os.openpty()
        self.addCleanup(os.close, terminal)
        self.addCleanup(os.close, other_end)
        names = ["folder.vhdx", "pipe.vhdx", "socket.vhdx", "/dev/full", "/dev/null",
                 "/dev/zero", os.ttyname(other_end)]
        for name in names:
            with self.subTest(name):
                for words in (("info", name), ("map", name), ("check", name), ("hash", name),
                              ("compare", name, "disk.vhdx"), ("convert", name, "new.vhdx"),
                              ("zero", name, "--length", "1"), ("read", name),
                              ("expand", name, "--size", "1G"), ("dump", name),
                              ("info", name, "--format", "raw"),
                              ("snapshot", name, "new.vhdx"), ("merge", name)):
                    self.refused(2, *words)
                for words in self.commands_to(name):
                    self.refused(2, *words, "--format" if words[0] != "read" else "--force",
                                 *(["vhdx"] if words[0] != "read" else []))
        self.assertFalse(os.path.exists(self.path("new.vhdx")))
        for name in names:
            self.assertTrue(os.path.exists(self.path(name)), name)

    def test_k04_nothing_blocks(self):
        os.mkfifo(self.path("pipe.vhdx"))
        for words in (("info", "pipe.vhdx"), ("hash", "pipe.vhdx"), ("write", "pipe.vhdx"),
                      ("convert", "pipe.vhdx", "new.vhdx"),
                      ("convert", "disk.vhdx", "pipe.vhdx", "--force"),
                      ("create", "new.vhdx", "--parent", "pipe.vhdx"),
                      ("hash", "disk.vhdx", "--parent", "pipe.vhdx")):
            began = time.monotonic()
            self.run_tool(*words)
            self.assertLess(time.monotonic() - began, 1 if not SLOW else 20, words)

    def test_k04_a_block_device_only_when_told(self):
        devices = [name for name in os.listdir("/sys/class/block")
                   if os.path.exists(f"/dev/{name}")]
        if not devices:
            self.skipTest("no block device here")
        device = f"/dev/{devices[0]}"
        self.assertIn("expected a regular file", self.refused(2, "info", device, "--format", "raw"))
        _, _, err = self.run_tool("info", device, "--format", "raw", "--allow-device")
        self.assertNotIn(b"expected a regular file", err)

    def test_k04_memory_of_a_process_is_no_image(self):
        self.refused(2, "info", "/proc/self/mem")
        code, _, _ = self.run_tool("convert", "/proc/self/mem", "new.vhdx", "--source-format",
                                   "raw")
        self.assertIn(code, (2, 3))
        self.assertFalse(os.path.exists(self.path("new.vhdx")))

    def test_k12_links_as_outputs_are_not_followed(self):
        self.write_file("other.vhdx", b"other")
        os.symlink("nowhere.vhdx", self.path("dangling.vhdx"))
        os.symlink("other.vhdx", self.path("link.vhdx"))
        for target in ("dangling.vhdx", "link.vhdx"):
            for words in self.commands_to(target):
                with self.subTest(words):
                    self.refused(2, *words)
                    code, _, _ = self.run_tool(*words, "--force")
                    self.assertIn(code, (0, 2))
                    self.assertFalse(os.path.exists(self.path("nowhere.vhdx")))
                    self.assertEqual(self.read_file("other.vhdx"), b"other")
                    if not os.path.islink(self.path(target)):
                        os.remove(self.path(target))
                        os.symlink("nowhere.vhdx" if target == "dangling.vhdx" else "other.vhdx",
                                   self.path(target))

    def test_no_temporary_file_is_left_by_a_failure(self):
        before = self.contents()
        self.refused(3, "create", "x.vhdx", "--size", "1M", "--block-size", "3M")
        self.refused(2, "convert", "missing.vhdx", "x.vhdx")
        self.refused(2, "create", "no/such/folder/x.vhdx", "--size", "1M")
        self.assertEqual(self.contents(), before)

    def test_output_on_a_full_device(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, 2 * MIB))
        before = self.contents()
        self.write_file("big.raw", os.urandom(4 * MIB))
        for words in (("convert", "big.raw", "new.vhdx"), ("convert", "big.raw", "new.raw"),
                      ("create", "new.vhd", "--size", "8M", "--source", "big.raw"),
                      ("read", "big.raw", "--output", "new.raw")):
            with self.subTest(words):
                self.refused(2, *words, preexec_fn=limit)
        os.remove(self.path("big.raw"))
        self.assertEqual(self.contents(), before)


class Sizes(ToolCase):
    def test_k05_what_is_no_size_is_a_usage_error_that_names_the_argument(self):
        self.ok("create", "disk.vhdx", "--size", "8M")
        before = self.contents()
        for size in BAD_SIZES:
            with self.subTest(size):
                self.assertIn("--size", self.refused(3, "create", "x.vhdx", "--size", size))
                self.assertIn("--size", self.refused(3, "create", "x.vhdx", "--size=" + size))
                self.assertIn("--size", self.refused(3, "expand", "disk.vhdx", "--size", size))
                self.assertIn("--block-size", self.refused(
                    3, "create", "x.vhdx", "--size", "1M", "--block-size", size))
                self.assertIn("--length", self.refused(
                    3, "zero", "disk.vhdx", "--length", size))
                self.assertIn("--memory-limit", self.refused(
                    3, "info", "disk.vhdx", "--memory-limit", size))
                if size != "0":
                    self.assertIn("--offset", self.refused(
                        3, "read", "disk.vhdx", "--offset", size))
        self.assertEqual(self.contents(), before)

    def test_k05_the_largest_disk_is_accepted_and_more_is_not(self):
        self.ok("create", "largest.vhdx", "--size", "64T")
        self.assertEqual(self.json_of("info", "largest.vhdx")["virtual_size"], 64 * TIB)
        self.refused(3, "create", "x.vhdx", "--size", str(64 * TIB + 512))
        self.refused(3, "create", "x.vhdx", "--size", "65T")
        self.refused(3, "create", "x.vhd", "--size", "3T")
        self.assertEqual(list(self.contents()), ["largest.vhdx"])

    def test_k06_shapes_that_a_format_cannot_have(self):
        for options in (("--block-size", "3M"), ("--block-size", "512M"), ("--block-size", "1"),
                        ("--logical-sector", "520"), ("--physical-sector", "520"),
                        ("--logical-sector", "8192")):
            with self.subTest(options):
                line = self.refused(3, "create", "x.vhdx", "--size", "1G", *options)
                self.assertIn("expected", line)
        for words in (("--size", "2041G"), ("--size", str(2040 * GIB + 512)),
                      ("--size", "1G", "--block-size", "3M"),
                      ("--size", "1G", "--logical-sector", "4096")):
            with self.subTest(words):
                self.assertIn("expected", self.refused(3, "create", "x.vhd", *words))
        self.assertEqual(self.contents(), {})


class Text(ToolCase):
    HOSTILE = "\x1b[31m\n\u202egpj"

    def make_hostile_child(self):
        """A VHD child whose stored parent name and creator hold what must not reach a terminal."""
        self.ok("create", "base.vhd", "--size", "8M")
        self.ok("snapshot", "base.vhd", "child.vhd")
        with open(self.path("child.vhd"), "r+b") as file:
            image = bytearray(file.read())
            header = image.index(b"cxsparse")
            name = self.HOSTILE.encode("utf-16-be")
            image[header + 64:header + 64 + 512] = name + bytes(512 - len(name))
            # the checksum of a dynamic header lies at 36
            image[header + 36:header + 40] = bytes(4)
            checksum = ~sum(image[header:header + 1024]) & 0xFFFFFFFF
            image[header + 36:header + 40] = struct.pack(">I", checksum)
            for footer in (0, len(image) - 512):
                image[footer + 28:footer + 32] = b"\x1b[0m"
                checksum = vhd_checksum(bytes(image[footer:footer + 512]))
                image[footer + 64:footer + 68] = struct.pack(">I", checksum)
            file.seek(0)
            file.write(image)

    def make_hostile_vhdx(self):
        """A VHDX child with such texts in its creator, its locator and the item names."""
        base = vhdx_image.dynamic(Path(self.path("base.vhdx")))
        path = self.HOSTILE + "\x85\x9b2J\u2066\u200f\ufeff\ud800.vhdx"
        image = vhdx_image.differencing(Path(self.path("child.vhdx")), base)
        wide = [word.encode("utf-16-le", "surrogatepass") for word in
                ("parent_linkage", "{%s}" % base.data_write, "relative_path", path,
                 "absolute_win32_path", "C:\\" + self.HOSTILE)]
        item = vhdx_chain_cases.locator(list(zip(wide[::2], wide[1::2])))
        vhdx_chain_cases.store_locator(image, item)
        creator = (self.HOSTILE + "\ud800 end").encode("utf-16-le", "surrogatepass")
        with open(image.path, "r+b") as file:
            file.seek(8)
            file.write(creator + bytes(2))

    def assert_harmless(self, data):
        text = data.decode("utf-8")
        for character in text:
            self.assertTrue(character == "\n" or ord(character) >= 32, repr(text))
            self.assertNotIn(unicodedata.category(character), ("Cf", "Cs"), repr(text))
            self.assertFalse(0x7F <= ord(character) <= 0x9F, repr(text))

    def test_k07_text_from_images_is_escaped(self):
        self.make_hostile_child()
        self.make_hostile_vhdx()
        for image in ("child.vhd", "child.vhdx"):
            for verb in ("info", "dump"):
                with self.subTest(image=image, verb=verb):
                    out = self.ok(verb, image)
                    self.assert_harmless(out)
                    self.assertIn(b"\\x1b[", out)
                    json.loads(self.ok(verb, image, "--json").decode("utf-8"))
            self.assertIsNotNone(self.json_of("info", image)["parent"])
            for words in (("check", image, "--chain"), ("info", image, "--chain"),
                          ("hash", image), ("merge", image), ("compare", image, image),
                          ("convert", image, "new.vhdx"), ("snapshot", image, "new.vhdx")):
                with self.subTest(words):
                    for more in ((), ("--json",), ("--progress=json",)):
                        _, out, err = self.run_tool(*words, *more)
                        self.assert_harmless(out)
                        self.assert_harmless(err)

    def test_k08_names_are_printed_escaped(self):
        for name in (b"bad-\xff\xfe.vhdx", b"esc-\x1b[31m.vhdx", "rtl-\u202e.vhdx".encode(),
                     b"line\nend.vhdx"):
            with self.subTest(name):
                out = self.ok("create", name, "--size", "1M")
                self.assert_harmless(out)
                self.assert_harmless(self.ok("info", name))
                json.loads(self.ok("info", name, "--json").decode("utf-8"))
                self.ok("check", name)
                os.remove(os.path.join(os.fsencode(self.folder), name))
                self.assert_harmless(self.refused(2, "info", name).encode())

    def test_k08_names_that_are_too_long(self):
        for name in ("x" * 256 + ".vhdx", "y/" * 2100 + "x.vhdx"):
            self.refused(2, "info", name)
            self.refused(2, "create", name, "--size", "1M")

    def test_k14_locale_and_time_zone_change_nothing(self):
        self.ok("create", "d.vhd", "--size", "1234567K")
        plain = self.ok("info", "d.vhd")
        for variables in ({"LC_ALL": "C"}, {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"},
                          {"LC_ALL": "de_DE.UTF-8", "TZ": ":nonsense"}):
            environment = dict(os.environ, **variables)
            self.assertEqual(self.ok("info", "d.vhd", env=environment), plain)
        self.assertIn("GIB".lower(), plain.decode().lower())
        self.ok("create", "kib.vhdx", "--size", "64mib", env=dict(os.environ, LC_ALL="tr_TR.UTF-8"))

    @unittest.skipUnless(FAKE_CLOCK, "the clock cannot be faked in this build")
    def test_k14_a_clock_past_2136_saturates_the_time_of_a_vhd(self):
        late = at_moment(datetime.datetime(2200, 1, 1))
        self.ok("create", "late.vhd", "--size", "8M", env=late)
        self.assertTrue(self.json_of("info", "late.vhd")["created"].startswith("2136-02-07"))
        self.ok("snapshot", "late.vhd", "later.vhd", env=late)
        self.assertTrue(self.json_of("info", "later.vhd")["created"].startswith("2136-02-07"))


class Streams(ToolCase):
    def setUp(self):
        super().setUp()
        self.ok("create", "disk.vhdx", "--size", "8M")
        self.ok("write", "disk.vhdx", "--length", "8M", "--pattern", "1")

    PRINTING = (("info", "disk.vhdx"), ("info", "disk.vhdx", "--json"), ("map", "disk.vhdx"),
                ("map", "disk.vhdx", "--json"), ("check", "disk.vhdx"), ("hash", "disk.vhdx"),
                ("dump", "disk.vhdx"), ("compare", "disk.vhdx", "disk.vhdx"),
                ("read", "disk.vhdx"), ("--help",), ("--version",), ("help", "create"))

    def test_k09_a_full_standard_output_is_a_failure(self):
        for words in self.PRINTING:
            with self.subTest(words), open("/dev/full", "wb") as full:
                self.refused(2, *words, stdout=full)

    def test_k09_also_when_only_the_result_is_printed(self):
        self.ok("create", "base.vhdx", "--size", "8M")
        self.ok("snapshot", "base.vhdx", "child.vhdx")
        for words in (("create", "new.vhdx", "--size", "1M"), ("convert", "disk.vhdx", "n.vhd"),
                      ("expand", "disk.vhdx", "--size", "16M"),
                      ("snapshot", "disk.vhdx", "s.vhdx"), ("merge", "child.vhdx"),
                      ("zero", "n.vhd", "--length", "1M")):
            with self.subTest(words), open("/dev/full", "wb") as full:
                self.refused(2, *words, stdout=full)
        for image in ("new.vhdx", "n.vhd", "disk.vhdx", "base.vhdx"):
            self.ok("check", image)

    def test_k09_a_closed_standard_output_is_a_failure(self):
        for words in self.PRINTING:
            with self.subTest(words):
                code, _, err = self.run_tool(*words, stdout=None, preexec_fn=lambda: os.close(1))
                self.assertNotEqual(code, 0)
                self.assertIn(b"standard output", err)

    def test_k09_nothing_of_the_output_reaches_an_image_when_descriptors_are_closed(self):
        before = self.contents()

        def close_all():
            for descriptor in (0, 1, 2):
                os.close(descriptor)
        process = self.start("expand", "disk.vhdx", "--size", "16M", "--progress=json",
                             stdin=None, stdout=None, stderr=None, preexec_fn=close_all)
        process.wait()
        self.assertTrue(self.json_of("check", "disk.vhdx")["clean"])
        self.assertEqual(self.ok("read", "disk.vhdx", "--length", "8M"), b"\1" * (8 * MIB))
        self.assertEqual(list(self.contents()), list(before))

    def test_a_reader_that_leaves_is_not_a_crash(self):
        process = self.start("read", "disk.vhdx")
        process.stdout.read(10)
        process.stdout.close()
        self.assertEqual(process.wait(), 128 + signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()


class Formats(ToolCase):
    def test_k16_a_format_that_contradicts_the_content_is_refused(self):
        self.ok("create", "disk.vhdx", "--size", "8M")
        self.ok("create", "disk.vhd", "--size", "8M")
        self.refused(2, "info", "disk.vhdx", "--format", "vhd")
        self.refused(2, "info", "disk.vhd", "--format", "vhdx")
        self.refused(3, "info", "disk.vhd", "--format", "qcow2")

    def test_k16_for_every_verb_that_takes_a_format(self):
        self.ok("create", "disk.vhdx", "--size", "8M")
        before = self.contents()
        for words in (("hash", "disk.vhdx"), ("map", "disk.vhdx"), ("check", "disk.vhdx"),
                      ("read", "disk.vhdx"), ("dump", "disk.vhdx"),
                      ("zero", "disk.vhdx", "--length", "1M"),
                      ("expand", "disk.vhdx", "--size", "16M")):
            with self.subTest(words):
                self.assertIn("vhdx", self.refused(2, *words, "--format", "vhd"))
        self.refused(2, "convert", "disk.vhdx", "new.raw", "--source-format", "vhd")
        self.assertEqual(self.contents(), before)

    def test_content_without_signature_is_raw_only_when_said_so(self):
        self.write_file("disk.bin", bytes(MIB))
        code, _, err = self.run_tool("info", "disk.bin")
        self.assertEqual(code, 2)
        self.assertIn(b"--format raw", err)
        self.assertEqual(self.json_of("info", "disk.bin", "--format", "raw")["virtual_size"], MIB)
        os.rename(self.path("disk.bin"), self.path("disk.img"))
        self.assertEqual(self.json_of("info", "disk.img")["format"], "raw")

    def test_a_raw_name_on_content_with_a_signature_is_ambiguous(self):
        self.ok("create", "disk.vhdx", "--size", "8M")
        os.rename(self.path("disk.vhdx"), self.path("disk.raw"))
        code, _, err = self.run_tool("info", "disk.raw")
        self.assertEqual(code, 2)
        self.assertIn(b"--format", err)
        self.assertEqual(self.json_of("info", "disk.raw", "--format", "vhdx")["virtual_size"],
                         8 * MIB)
        self.assertEqual(self.json_of("info", "disk.raw", "--format", "raw")["format"], "raw")


class Parents(ToolCase):
    def test_k13_a_sibling_stops_a_merge_until_forced(self):
        for extension in (".vhd", ".vhdx"):
            with self.subTest(extension):
                base, child, sibling = (name + extension for name in ("base", "child", "sibling"))
                self.ok("create", base, "--size", "8M")
                self.ok("snapshot", base, child)
                self.ok("snapshot", base, sibling)
                self.ok("write", child, "--length", "1M", "--pattern", "1")
                before = self.contents()
                self.assertIn(sibling, self.refused(2, "merge", child))
                self.assertEqual(self.contents(), before)
                self.ok("merge", child, "--force-siblings")
                self.assertEqual(self.ok("read", base, "--length", "1M"), b"\1" * MIB)

    def test_k13_a_base_that_is_no_ancestor_is_refused(self):
        self.ok("create", "base.vhdx", "--size", "8M")
        self.ok("create", "other.vhdx", "--size", "8M")
        self.ok("snapshot", "base.vhdx", "child.vhdx")
        before = self.contents()
        code, _, _ = self.run_tool("merge", "child.vhdx", "--base", "other.vhdx")
        self.assertIn(code, (2, 3))
        self.refused(2, "merge", "child.vhdx", "--parent", "other.vhdx")
        self.assertEqual(self.contents(), before)

    def test_parents_outside_the_directory_need_a_root(self):
        os.mkdir(self.path("bases"))
        os.mkdir(self.path("children"))
        for extension in (".vhd", ".vhdx"):
            with self.subTest(extension):
                base, child = f"bases/b{extension}", f"children/c{extension}"
                self.ok("create", base, "--size", "8M")
                self.ok("write", base, "--length", "1M", "--pattern", "5")
                self.ok("snapshot", base, child)
                code, _, err = self.run_tool("hash", child)
                self.assertEqual(code, 2)
                self.assertIn(b"--parent-root", err)
                self.ok("info", child)
                self.ok("hash", child, "--parent-root", "bases")
                os.symlink(".", self.path("link"))
                self.ok("hash", child, "--parent-root", "link")
                os.remove(self.path("link"))
                self.ok("hash", child, "--parent", base)
                self.assertEqual(self.ok("read", child, "--parent-root", ".", "--length", 3),
                                 b"\5\5\5")

    def test_a_moved_parent_is_found_by_mapping(self):
        self.ok("create", "base.vhdx", "--size", "8M")
        self.ok("snapshot", "base.vhdx", "child.vhdx", "--parent-windows-path",
                "C:\\images\\base.vhdx")
        os.mkdir(self.path("store"))
        os.rename(self.path("base.vhdx"), self.path("store/base.vhdx"))
        self.refused(2, "hash", "child.vhdx")
        self.ok("hash", "child.vhdx", "--map-parent", "C:\\images=store")


class Limits(ToolCase):
    def test_k15_a_64_tib_image_within_16_mib(self):
        self.ok("create", "big.vhdx", "--size", "64T", "--block-size", "1M", "--memory-limit",
                "16M")
        self.ok("write", "big.vhdx", "--offset", 63 * TIB, "--memory-limit", "16M", data=b"far")
        self.assertEqual(self.ok("read", "big.vhdx", "--memory-limit", "16M", "--offset",
                                 63 * TIB, "--length", 3), b"far")
        self.ok("info", "big.vhdx", "--memory-limit", "16M")
        self.ok("info", "big.vhdx", "--memory-limit", "1")
        self.ok("check", "big.vhdx", "--memory-limit", "16M")

        def small_address_space():
            resource.setrlimit(resource.RLIMIT_AS, (96 * MIB, 96 * MIB))
        if not SLOW:
            for words in (("info", "big.vhdx"), ("map", "big.vhdx"), ("hash", "big.vhdx"),
                          ("write", "big.vhdx", "--offset", 5 * TIB, "--length", "1M",
                           "--pattern", "1")):
                self.ok(*words, "--memory-limit", "16M", preexec_fn=small_address_space)

    @unittest.skipIf(os.environ.get("VDISK_SANITIZED"), "sanitizers need address space")
    def test_a_limited_address_space_and_few_descriptors_are_enough(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (256 * MIB, 256 * MIB))
            resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        for subtype in SUBTYPES:
            file = self.make(subtype, "16M", subtype.replace(" ", "-"))
            self.ok("write", file, "--length", "4M", "--pattern", "1", preexec_fn=limit)
            self.ok("hash", file, preexec_fn=limit)

    def test_a_second_writer_is_told_busy_at_once(self):
        self.ok("create", "disk.vhdx", "--size", "8M")
        writer = self.start("write", "disk.vhdx", "--progress=json", stdin=subprocess.PIPE)
        self.addCleanup(writer.stderr.close)
        self.addCleanup(writer.stdout.close)
        self.assertIn(b"pending", writer.stderr.readline())  # the image is open now
        code, _, err = self.run_tool("zero", "disk.vhdx", "--length", "1M")
        self.assertEqual(code, 2)
        self.assertIn(b"hint: ", err)
        self.refused(2, "info", "disk.vhdx")
        self.ok("info", "disk.vhdx", "--no-lock")
        writer.stdin.close()
        self.assertEqual(writer.wait(), 0)


if __name__ == "__main__":
    unittest.main()
