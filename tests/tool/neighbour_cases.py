"""Files that are no whole image, or belong to somebody else: refused, with what to do instead."""
import os
import struct

from driver import MIB, ToolCase, seeded

WRITERS = [
    ["check", "PATH", "--repair"],
    ["check", "PATH", "--repair", "--yes"],
    ["write", "PATH", "--length", "1M", "--pattern", "7"],
    ["zero", "PATH", "--offset", 0, "--length", "1M"],
    ["discard", "PATH", "--offset", 0, "--length", "1M"],
    ["compact", "PATH"],
    ["compact", "PATH", "--copy"],
    ["expand", "PATH", "--size", "16M"],
    ["shrink", "PATH", "--size", "4M"],
    ["resize", "PATH", "--size", "16M", "--fix-gpt"],
    ["metadata", "PATH", "--disk-id", "6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2"],
    ["snapshot", "PATH", "child.vhd"],
    ["create", "PATH", "--size", "8M", "--format", "vhd", "--force"],
]


class SplitImages(ToolCase):
    def split(self, kind, parts):
        """A VHD and its bytes in so many parts: s.vhd, s.v01 ... of 1 MiB and odd sizes."""
        self.ok("create", "whole.vhd", "--size", "8M", "--type", kind, "--force")
        self.ok("write", "whole.vhd", data=seeded().randbytes(3 * MIB))
        image = self.read_file("whole.vhd")
        cut = len(image) // parts + 77
        names = ["s.vhd"] + [f"s.v{number:02}" for number in range(1, parts)]
        for number, name in enumerate(names):
            end = len(image) if number == parts - 1 else (number + 1) * cut
            self.write_file(name, image[number * cut:end])
        return names

    def refused_with_advice(self, names, *words):
        line = self.refused(2, *words)
        self.assertIn("one part of a split image", line)
        self.assertIn(f"cat {' '.join(names)} > s-joined.vhd", line)

    def test_nothing_writes_to_a_part(self):
        for kind in ("dynamic", "fixed"):
            names = self.split(kind, 3)
            before = self.contents()
            for part in names:
                for words in WRITERS:
                    with self.subTest(f"{kind} {part} {words}"):
                        self.refused_with_advice(
                            names, *[part if word == "PATH" else word for word in words])
                        self.assertEqual(self.contents(), before)

    def test_reading_verbs_say_the_same_of_every_part(self):
        for kind in ("dynamic", "fixed"):
            names = self.split(kind, 3)
            for part in names:
                for words in (["info", part], ["hash", part], ["convert", part, "new.raw"],
                              ["compare", part, part], ["read", part, "--output", "new.raw"]):
                    with self.subTest(f"{kind} {words}"):
                        self.refused_with_advice(names, *words)
        self.refused_with_advice(names, "check", "s.vhd")
        self.refused_with_advice(names, "dump", "s.vhd")
        self.refused_with_advice(names, "info", "s.vhd", "--format", "raw")

    def test_check_names_it_and_changes_nothing(self):
        names = self.split("dynamic", 2)
        code, out, _ = self.run_tool("check", "s.vhd")
        self.assertEqual(code, 1)
        self.assertIn("error split-image", out.decode())
        self.assertIn("cat s.vhd s.v01 > s-joined.vhd", out.decode())
        joined = b"".join(self.read_file(name) for name in names)
        self.write_file("s-joined.vhd", joined)
        self.ok("compare", "s-joined.vhd", "whole.vhd")

    def test_salvage_takes_what_a_part_holds(self):
        self.split("dynamic", 2)
        before = self.contents()
        code, _, _ = self.run_tool("salvage", "s.vhd", "rest.raw", "--json")
        self.assertEqual(code, 1)
        os.remove(self.path("rest.raw"))
        self.assertEqual(self.contents(), before)

    def test_a_part_is_no_parent(self):
        self.ok("create", "s.vhd", "--size", "8M")
        self.ok("snapshot", "s.vhd", "child.vhd")
        self.ok("write", "child.vhd", data=b"changed")
        self.write_file("s.v01", b"the rest")
        before = self.contents()
        for words in (["merge", "child.vhd"], ["read", "child.vhd", "--length", "512"],
                      ["rebase", "child.vhd", "--parent", "s.vhd"]):
            self.assertIn("cat s.vhd s.v01", self.refused(2, *words))
        self.assertEqual(self.contents(), before)

    def test_a_missing_part_is_named(self):
        self.split("fixed", 4)
        os.remove(self.path("s.v02"))
        for part in ("s.vhd", "s.v01", "s.v03"):
            self.assertIn("of which s.v02 is missing", self.refused(2, "info", part))

    def test_names_in_upper_case(self):
        for old, new in zip(self.split("fixed", 2), ("S.VHD", "S.V01")):
            os.rename(self.path(old), self.path(new))
        for part in ("S.VHD", "S.V01"):
            self.assertIn("cat S.VHD S.V01 > S-joined.VHD", self.refused(2, "info", part))

    def test_a_lone_file_with_such_a_name_is_what_it_holds(self):
        self.ok("create", "old.v07", "--size", "8M", "--format", "vhdx")
        self.ok("info", "old.v07")
        self.write_file("lone.v12", b"x" * 5000)
        self.assertIn("join the parts", self.refused(2, "info", "lone.v12"))
        self.write_file("lone.v64", b"x" * 5000)
        self.assertIn("no signature", self.refused(2, "info", "lone.v64"))


class RawTargets(ToolCase):
    def test_options_that_a_raw_disk_has_no_place_for_are_refused(self):
        self.ok("create", "s.vhdx", "--size", "4M")
        before = self.contents()
        options = (["--id", "6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2"], ["--type", "dynamic"],
                   ["--logical-sector", "4096"], ["--physical-sector", "4096"])
        for option in options:
            for words in (["create", "o.raw", "--size", "1M"],
                          ["create", "o.bin", "--format", "raw", "--size", "1M"],
                          ["convert", "s.vhdx", "o.img"], ["convert", "s.vhdx", "-"],
                          ["convert", "s.vhdx", "o.raw.gz"], ["mirror", "s.vhdx", "o.raw"],
                          ["salvage", "s.vhdx", "o.raw"]):
                with self.subTest(words + option):
                    line = self.refused(3, *words, *option)
                    self.assertIn(f"{option[0]}: a raw disk", line)
        self.assertEqual(self.contents(), before)
        self.ok("create", "o.raw", "--size", "1M", "--type", "fixed", "--logical-sector", "512")


def checksum(structure, place):
    """That of VHD footers and headers: the sum's complement, the field counted as zeros."""
    body = structure[:place] + bytes(4) + structure[place + 4:]
    return body[:place] + struct.pack(">I", ~sum(body) & 0xFFFFFFFF) + body[place + 4:]


class OtherPrograms(ToolCase):
    def change_footers(self, name, change):
        """Both footers of a dynamic VHD after `change(bytearray)`."""
        image = bytearray(self.read_file(name))
        for at in (0, len(image) - 512):
            footer = bytearray(image[at:at + 512])
            self.assertEqual(footer[:8], b"conectix")
            change(footer)
            image[at:at + 512] = checksum(bytes(footer), 64)
        self.write_file(name, image)

    def error_of(self, code, *words):
        got, _, err = self.run_tool(*words)
        self.assertEqual(got, code, err)
        return err.decode()

    def saved(self):
        def set_flag(footer):
            footer[84] = 1
        self.ok("create", "d.vhd", "--size", "8M")
        self.ok("write", "d.vhd", data=b"content")
        self.change_footers("d.vhd", set_flag)

    def test_a_saved_state_is_warned_about_before_a_change(self):
        self.saved()
        for words in (["write", "d.vhd", "--length", "512", "--pattern", "1"],
                      ["zero", "d.vhd", "--offset", 0, "--length", "512"],
                      ["discard", "d.vhd", "--offset", 0, "--length", "512"],
                      ["snapshot", "d.vhd", "c.vhd"]):
            with self.subTest(words):
                self.assertIn("warning: d.vhd belongs to a virtual machine in saved state",
                              self.error_of(0, *words))
        self.ok("create", "plain.vhd", "--size", "8M")
        self.assertEqual(self.error_of(0, "write", "plain.vhd", "--length", "512", "--pattern", 1),
                         "")

    def test_a_saved_state_is_refused_with_what_to_do(self):
        self.saved()
        before = self.contents()
        for words in (["compact", "d.vhd"], ["expand", "d.vhd", "--size", "9M"],
                      ["shrink", "d.vhd", "--size", "7M"],
                      ["metadata", "d.vhd", "--disk-id", "6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2"]):
            with self.subTest(words):
                self.assertIn("hint: start and shut down its virtual machine",
                              self.error_of(2, *words))
        self.assertEqual(self.contents(), before)

    def test_a_batmap_is_refused_with_what_to_do(self):
        def made_by_tap(footer):
            footer[28:36] = b"tap\0" + struct.pack(">I", 0x00010003)
        self.ok("create", "d.vhd", "--size", "8M")
        self.change_footers("d.vhd", made_by_tap)
        before = self.contents()
        for words in (["write", "d.vhd", "--length", "512", "--pattern", "1"],
                      ["compact", "d.vhd"], ["compact", "d.vhd", "--copy"],
                      ["expand", "d.vhd", "--size", "9M"]):
            with self.subTest(words):
                self.assertIn("hint: convert PATH NEW", self.error_of(2, *words))
        self.assertEqual(self.contents(), before)
        self.ok("convert", "d.vhd", "new.vhd")
        self.ok("write", "new.vhd", "--length", "512", "--pattern", "1")

    def test_a_batmap_is_no_fault_and_is_dumped(self):
        def made_by_tap(footer):
            footer[28:36] = b"tap\0" + struct.pack(">I", 0x00010003)
        self.ok("create", "d.vhd", "--size", "8M")
        self.change_footers("d.vhd", made_by_tap)
        self.assertIn(b"V41", self.run_tool("check", "d.vhd")[1])  # it should have one
        image = bytearray(self.read_file("d.vhd"))
        at = 0x600 + 512  # behind the table
        struct.pack_into(">8sQIII", image, at, b"tdbatmap", at + 512, 1, 0x00010002, 0xFFFFFFFF)
        self.write_file("d.vhd", image)
        report = self.json_of("check", "d.vhd")
        self.assertEqual([(found["id"], found["severity"]) for found in report["findings"]],
                         [("V41", "info")])
        header = [found for found in self.json_of("dump", "d.vhd")
                  if found["name"] == "batmap header"]
        self.assertEqual([found["offset"] for found in header], [at])
        self.assertIn("0x10002", self.ok("dump", "d.vhd").decode())

    def raw_child(self):
        """What Xen's tools make over a raw disk; their ids are all zeros."""
        self.ok("create", "base.vhd", "--size", "8M", "--type", "fixed")
        self.ok("snapshot", "base.vhd", "child.vhd")
        self.ok("write", "child.vhd", data=b"of the child")

        def made_by_tap(footer):
            footer[28:36] = b"tap\0" + struct.pack(">I", 0x00010001)
        self.change_footers("child.vhd", made_by_tap)
        image = bytearray(self.read_file("child.vhd"))
        image[512 + 40:512 + 56] = bytes(16)
        image[512:1536] = checksum(bytes(image[512:1536]), 36)
        self.write_file("child.vhd", image)
        raw = bytearray(8 << 20)
        raw[4096:4103] = b"of base"
        self.write_file("base.vhd", raw)

    def test_a_raw_parent_is_opened_when_it_is_named(self):
        self.raw_child()
        error = self.error_of(2, "hash", "child.vhd")
        self.assertIn("a raw disk, which has no identity", error)
        self.assertIn("hint: if it is PATH's own parent, --parent FILE names it", error)
        self.assertIn(b"child.vhd  vhd differencing, 8 MiB; parent is a raw disk: opens only with "
                      b"--parent\n", self.ok("tree", "."))
        self.assertEqual(self.json_of("tree", ".")["images"][-1]["parent"]["state"], "raw")
        self.assertIs(self.json_of("info", "child.vhd")["parent"]["raw"], True)
        self.assertIn(b"a raw disk, opened only when --parent names it",
                      self.ok("info", "child.vhd"))
        self.ok("create", "image.vhd", "--size", "8M")
        before = self.read_file("image.vhd")
        self.assertIn("hint: name the right file with --parent",
                      self.error_of(2, "merge", "child.vhd", "--parent", "image.vhd"))
        self.assertEqual(self.read_file("image.vhd"), before)
        named = ("--parent", "base.vhd")
        self.assertEqual(self.ok("read", "child.vhd", "--length", "12", *named), b"of the child")
        self.assertEqual(self.ok("read", "child.vhd", "--offset", "4096", "--length", "7", *named),
                         b"of base")
        self.assertEqual(self.json_of("check", "child.vhd", "--chain", *named)["findings"], [])
        digest = self.ok("hash", "child.vhd", *named).split()[0]
        self.ok("merge", "child.vhd", "--delete", *named)
        self.assertFalse(os.path.exists(self.path("child.vhd")))
        merged = self.read_file("base.vhd")
        self.assertEqual((merged[:12], merged[4096:4103]), (b"of the child", b"of base"))
        self.assertEqual(self.ok("hash", "base.vhd", "--format", "raw").split()[0], digest)

    def test_a_vhd_set_is_named_and_never_written(self):
        self.ok("create", "d.vhdx", "--size", "8M")
        self.ok("write", "d.vhdx", data=b"content")
        for name in ("set.vhds", "SET.VHDS"):
            os.rename(self.path("d.vhdx"), self.path(name))
            self.assertIn(b"named like a VHD Set", self.ok("info", name))
            self.assertEqual(self.json_of("info", name)["warnings"][0]["id"], "foreign-file")
            self.assertEqual(self.guest(name, "--length", "7"), b"content")
            before = self.contents()
            for words in WRITERS[:9] + [
                    ["metadata", "PATH", "--set", "6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2",
                     "--value", "x"],
                    ["create", "PATH", "--size", "8M", "--format", "vhdx", "--force"]]:
                with self.subTest(words):
                    line = self.refused(2, *[name if word == "PATH" else word for word in words])
                    self.assertIn("it is never written", line)
                    self.assertEqual(self.contents(), before)
            os.rename(self.path(name), self.path("d.vhdx"))
