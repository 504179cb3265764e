"""hash --blocks, changes, diff, and metadata: what a backup program uses."""
import hashlib
import json
import os

from driver import GIB, KIB, MIB, TIB, ToolCase, filler, seeded

NOTE = "6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2"
OTHER = "01234567-89ab-cdef-0123-456789abcdef"


class Manifests(ToolCase):
    def manifest(self, *words):
        return json.loads(self.ok("hash", *words, "--blocks"))

    def apply(self, copy, image, changes):
        """The documented recipe: the size, then every range."""
        if changes["new_size"] > changes["old_size"]:
            self.ok("expand", copy, "--size", changes["new_size"])
        for piece in changes["ranges"]:
            place = ["--offset", piece["offset"]]
            if piece["zero"]:
                self.ok("zero", copy, *place, "--length", piece["length"])
            else:
                data = self.ok("read", image, *place, "--length", piece["length"])
                self.ok("write", copy, *place, data=data)

    def test_a_manifest_is_json_with_digests_that_others_compute(self):
        data = filler(seeded(), MIB) + bytes(MIB) + b"tail"
        self.write_file("d.raw", data + bytes(508))
        for algorithm in ([], ["--sha256"]):
            manifest = self.manifest("d.raw", *algorithm)
            self.assertEqual((manifest["manifest"], manifest["block_size"]), (1, MIB))
            self.assertEqual(manifest["virtual_size"], 2 * MIB + 512)
            self.assertEqual([block["offset"] for block in manifest["blocks"]], [0, 2 * MIB])
        self.assertEqual(manifest["algorithm"], "sha256")
        self.assertEqual(manifest["blocks"][0]["digest"], hashlib.sha256(data[:MIB]).hexdigest())
        self.assertEqual(manifest["blocks"][1]["digest"],
                         hashlib.sha256(b"tail" + bytes(MIB - 4)).hexdigest())

    def test_the_same_for_every_format_and_for_terabytes(self):
        self.ok("create", "d.vhdx", "--size", "60T")
        self.ok("write", "d.vhdx", "--offset", 30 * TIB + 5, data=b"needle")
        manifest = self.manifest("d.vhdx", "--block-size", "64K")
        self.assertEqual([block["offset"] for block in manifest["blocks"]], [30 * TIB])
        self.ok("create", "e.vhd", "--size", "100M")
        self.ok("write", "e.vhd", "--offset", "70M", data=b"x" * 3000)
        self.ok("convert", "e.vhd", "e.vhdx")
        self.assertEqual(self.manifest("e.vhd"), self.manifest("e.vhdx"))

    def test_an_incremental_backup_from_start_to_end(self):
        generator = seeded()
        for extension in (".vhd", ".vhdx"):
            with self.subTest(extension):
                disk = "d" + extension
                self.ok("create", disk, "--size", "32M", "--force")
                self.ok("write", disk, data=filler(generator, 9 * MIB))
                self.ok("convert", disk, "copy.raw", "--force")
                self.write_file("m0", self.ok("hash", disk, "--blocks"))
                for step in range(3):
                    self.ok("write", disk, "--offset", (step * 7 + 1) * MIB + 100,
                            data=filler(generator, MIB))
                    self.ok("zero", disk, "--offset", step * MIB, "--length", "1M")
                    if step == 2:
                        self.ok("expand", disk, "--size", "40M")
                        self.ok("write", disk, "--offset", 40 * MIB - 5, data=b"12345")
                    changes = self.json_of("changes", disk, "--since", f"m{step}", "--save",
                                           f"m{step + 1}", "--force")
                    self.assertLess(changes["changed_bytes"], 6 * MIB)
                    self.apply("copy.raw", disk, changes)
                    self.ok("compare", disk, "copy.raw", "--strict")
                    self.assertEqual(json.loads(self.read_file(f"m{step + 1}")),
                                     self.manifest(disk))
                nothing = self.ok("changes", disk, "--since", "m3").decode()
                self.assertIn("0 bytes changed in 0 ranges", nothing)

    def test_bad_manifests_are_one_line(self):
        self.ok("create", "d.raw", "--size", "4M")
        self.ok("write", "d.raw", "--length", "4M", "--pattern", "1")
        good = self.ok("hash", "d.raw", "--blocks").decode()
        block = '{"offset": 0, "digest": "' + "00" * 16 + '"}'
        head = '{"manifest": 1, "algorithm": "xxh3-128", "block_size": 1048576, '
        bad = ["", "{", "[]", "nonsense", good[:-5], good.replace('"manifest": 1', '"manifest": 2'),
               good.replace("xxh3-128", "md5"), good.replace("1048576", "1000000"),
               good.replace('"block_size": 1048576', '"block_size": -1'),
               good.replace('"block_size": 1048576', '"block_size": 1.5'),
               good.replace('"offset": 1048576', '"offset": 1'),
               good.replace('"offset": 1048576', '"offset": 9999999488'),
               head + '"virtual_size": 4194304, "blocks": [' + block + "," + block + "]}",
               head + '"virtual_size": 4194304, "blocks": [{"offset": 0}]}',
               head + '"virtual_size": 4194304, "blocks": [{"offset": 0, "digest": "zz"}]}',
               head + '"virtual_size": 4194304, "blocks": [{"offset": 0, "digest": "00"}]}',
               head + '"virtual_size": 4194304, "blocks": [[[[[[[[]]]]]]]]}',
               "[" * 100000]
        for text in bad:
            with self.subTest(text[:60]):
                self.write_file("m", text.encode())
                self.refused(2, "changes", "d.raw", "--since", "m")
        self.refused(2, "changes", "d.raw", "--since", "missing")
        self.refused(3, "changes", "d.raw")
        self.write_file("m", good.encode())
        self.refused(2, "changes", "d.raw", "--since", "m", "--save", "m")
        self.assertEqual(self.read_file("m").decode(), good)
        self.refused(3, "hash", "d.raw", "--blocks", "--block-size", "3M")
        self.refused(3, "hash", "d.raw", "--block-size", "1M")

    def test_diff(self):
        self.ok("create", "a.vhdx", "--size", "8M")
        self.ok("write", "a.vhdx", "--length", "2M", "--pattern", "1")
        self.ok("snapshot", "a.vhdx", "b.vhdx")
        self.ok("diff", "a.vhdx", "b.vhdx")
        self.ok("write", "b.vhdx", "--offset", "1M", data=b"new")
        self.ok("zero", "b.vhdx", "--offset", "0", "--length", "64K")
        code, out, _ = self.run_tool("diff", "a.vhdx", "b.vhdx", "--json")
        self.assertEqual(code, 1)
        changes = json.loads(out)
        self.assertEqual(changes["ranges"],
                         [{"offset": 0, "length": 64 * KIB, "zero": True},
                          {"offset": MIB, "length": 64 * KIB, "zero": False}])
        self.ok("convert", "a.vhdx", "copy.raw")
        self.apply("copy.raw", "b.vhdx", changes)
        self.ok("compare", "b.vhdx", "copy.raw")
        self.refused(3, "diff", "a.vhdx", "b.vhdx", "--granularity", "1000")
        self.refused(2, "diff", "a.vhdx", "missing.vhdx")
        self.refused(3, "diff", "a.vhdx")


class Metadata(ToolCase):
    def setUp(self):
        super().setUp()
        self.ok("create", "d.vhdx", "--size", "8M")

    def items(self):
        return {item["id"]: item for item in self.json_of("metadata", "d.vhdx")["items"]
                if item["user"]}

    def test_set_get_list_remove(self):
        self.assertEqual(self.items(), {})
        self.ok("metadata", "d.vhdx", "--set", NOTE, "--value", "a note")
        self.assertEqual(self.ok("metadata", "d.vhdx", "--get", NOTE), b"a note")
        blob = filler(seeded(), MIB)
        self.ok("metadata", "d.vhdx", "--set", OTHER, data=blob)
        self.assertEqual(self.ok("metadata", "d.vhdx", "--get", OTHER), blob)
        self.assertEqual(self.items()[NOTE]["length"], 6)
        self.write_file("content", b"from a file")
        out = self.ok("metadata", "d.vhdx", "--remove", OTHER, "--set", NOTE, "--input", "content")
        self.assertEqual(out, b"changed d.vhdx: 1 set, 1 removed\n")
        self.assertEqual(list(self.items()), [NOTE])
        self.assertEqual(self.ok("metadata", "d.vhdx", "--get", NOTE), b"from a file")
        self.ok("check", "d.vhdx")
        table = self.ok("metadata", "d.vhdx").decode()
        self.assertIn("system", table)

    def test_items_live_as_long_as_the_image(self):
        self.ok("metadata", "d.vhdx", "--set", NOTE, "--value", "kept")
        self.ok("write", "d.vhdx", "--length", "1M", "--pattern", "3")
        self.ok("expand", "d.vhdx", "--size", "16M")
        self.assertEqual(self.ok("metadata", "d.vhdx", "--get", NOTE), b"kept")

    def test_children_stay_valid_unless_the_guest_would_see_it(self):
        self.ok("snapshot", "d.vhdx", "child.vhdx")
        self.ok("metadata", "d.vhdx", "--set", NOTE, "--value", "x")
        self.ok("read", "child.vhdx", "--length", "512")
        before = self.contents()
        _, _, err = self.run_tool("metadata", "d.vhdx", "--disk-id", OTHER)
        self.assertIn("hint: --force-children", err.decode())
        self.refused(2, "metadata", "d.vhdx", "--disk-id", OTHER)
        self.refused(2, "metadata", "d.vhdx", "--physical-sector", "512")
        self.refused(2, "metadata", "d.vhdx", "--set", OTHER, "--value", "x", "--virtual-disk")
        self.assertEqual(self.contents(), before)
        self.ok("metadata", "d.vhdx", "--disk-id", OTHER, "--force-children")
        self.assertEqual(self.json_of("info", "d.vhdx")["id"], OTHER)
        self.refused(2, "read", "child.vhdx", "--length", "512")

    def test_a_copied_image_gets_an_id_of_its_own(self):
        for kind in ("fixed", "dynamic"):
            for name in (f"{kind}.vhd", f"{kind}.vhdx"):
                self.ok("create", name, "--size", "4M", "--type", kind)
                self.ok("write", name, data=b"content")
                before = self.json_of("hash", name)
                self.ok("metadata", name, "--disk-id", OTHER)
                self.assertEqual(self.json_of("info", name)["id"], OTHER)
                self.assertEqual(self.json_of("hash", name), before)
                self.ok("check", name)

    def test_bad_input_changes_nothing(self):
        self.ok("create", "d.vhd", "--size", "8M")
        before = self.contents()
        self.refused(2, "metadata", "d.vhd")
        self.refused(2, "metadata", "d.vhdx", "--get", NOTE)
        self.refused(2, "metadata", "d.vhdx", "--remove", NOTE)
        self.refused(3, "metadata", "d.vhdx", "--get", "no-uuid")
        self.refused(3, "metadata", "d.vhdx", "--set", "00000000-0000-0000-0000-000000000000",
                     "--value", "x")
        self.refused(3, "metadata", "d.vhdx", "--value", "x")
        self.refused(3, "metadata", "d.vhdx", "--physical-sector", "1K")
        self.refused(2, "metadata", "d.vhdx", "--set", NOTE, data=bytes(MIB + 1))
        self.refused(3, "metadata", "d.vhdx", "--get", NOTE, "--json")
        self.refused(2, "metadata", "missing.vhdx")
        self.assertEqual(self.contents(), before)
