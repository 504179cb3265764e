"""Files beside the result never replace an image, and are looked at before the work begins."""
import json
import os

from driver import MIB, ToolCase, seeded


class SideOutputs(ToolCase):
    def setUp(self):
        super().setUp()
        self.ok("create", "base.vhdx", "--size", "8M", "--block-size", "1M")
        self.ok("write", "base.vhdx", data=seeded().randbytes(2 * MIB))
        self.ok("snapshot", "base.vhdx", "child.vhdx")
        self.write_file("m.json", self.ok("hash", "child.vhdx", "--blocks"))

    def refused_all(self, names, *words):
        """Every name of the side output is refused, with --force too, and nothing changes."""
        before = self.contents()
        for name in names:
            for force in ([], ["--force"]):
                with self.subTest(f"{words} {name} {force}"):
                    self.refused(2, *words, name, *force)
                    self.assertEqual(self.contents(), before)

    def link(self):
        """Other names of the child and its parent."""
        os.link(self.path("child.vhdx"), self.path("hard"))
        os.symlink("child.vhdx", self.path("soft"))
        os.link(self.path("base.vhdx"), self.path("parent"))
        os.mkdir(self.path("folder"))
        os.symlink("..", self.path("folder/up"))
        return ["child.vhdx", "./child.vhdx", "hard", "soft", "base.vhdx", "parent",
                "folder/up/child.vhdx"]

    def test_a_manifest_never_replaces_an_image(self):
        self.refused_all(self.link(), "changes", "child.vhdx", "--since", "m.json", "--save")

    def test_a_map_never_replaces_an_image(self):
        names = self.link()
        self.write_file("disk.raw", bytes(4096))
        self.refused_all(names + ["disk.raw"], "salvage", "child.vhdx", "new.raw", "--map")

    def test_nor_one_whose_child_is_damaged(self):
        self.ok("write", "child.vhdx", "--offset", MIB, data=seeded().randbytes(3 * MIB))
        image = bytearray(self.read_file("child.vhdx"))
        image[64 * 1024:320 * 1024] = bytes(256 * 1024)  # headers and region tables
        self.write_file("child.vhdx", image)
        parent = bytearray(self.read_file("base.vhdx"))
        parent[64 * 1024:320 * 1024] = bytes(256 * 1024)
        self.write_file("base.vhdx", parent)
        self.assertEqual(self.run_tool("salvage", "child.vhdx", "rest.raw")[0], 1)
        self.refused_all(["child.vhdx", "base.vhdx"], "salvage", "child.vhdx", "new.raw", "--map")

    def test_a_map_is_not_the_new_image(self):
        os.symlink(".", self.path("here"))
        self.refused_all(["new.raw", "./new.raw", "here/new.raw"],
                         "salvage", "child.vhdx", "new.raw", "--map")
        self.write_file("new.raw", b"old")
        os.link(self.path("new.raw"), self.path("other"))
        self.refused_all(["new.raw", "other"], "salvage", "child.vhdx", "new.raw", "--map")

    def test_an_image_named_as_the_parent(self):
        os.mkdir(self.path("far"))
        os.rename(self.path("base.vhdx"), self.path("far/base.vhdx"))
        self.refused_all(["far/base.vhdx"], "changes", "child.vhdx", "--parent", "far/base.vhdx",
                         "--since", "m.json", "--save")

    def test_names_that_cannot_be_are_noticed_before_the_work(self):
        os.mkdir(self.path("folder"))
        self.write_file("there", b"precious")
        before = self.contents()
        for name, options in (("nodir/x", []), ("there", []), ("folder", ["--force"])):
            with self.subTest(name):
                self.refused(2, "salvage", "child.vhdx", "new.raw", "--map", name, *options)
                self.refused(2, "changes", "child.vhdx", "--since", "m.json", "--save", name,
                             *options)
                self.assertEqual(self.contents(), before)
        for name in ("nodir/x", "there", "folder", "child.vhdx", "base.vhdx"):
            self.refused(2, "check", "child.vhdx", "--repair", "--yes", "--undo", name)
            self.assertEqual(self.contents(), before)

    def test_what_is_no_image_is_replaced_with_force(self):
        self.write_file("old", b"a former manifest")
        os.symlink("m.json", self.path("link"))
        since = self.read_file("m.json")
        for name in ("old", "link"):
            self.ok("changes", "child.vhdx", "--since", "m.json", "--save", name, "--force")
            self.assertFalse(os.path.islink(self.path(name)))
            self.assertEqual(self.read_file(name), since)
        self.ok("changes", "child.vhdx", "--since", "m.json", "--save", "m.json", "--force")
        self.assertEqual(self.read_file("m.json"), since)
        self.ok("salvage", "child.vhdx", "new.raw", "--map", "old", "--force")
        self.assertTrue(json.loads(self.read_file("old"))["complete"])
        self.assertEqual([name for name in os.listdir(self.folder) if "tmp" in name], [])
