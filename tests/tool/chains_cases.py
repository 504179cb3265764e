"""tree, rebase, relink, merge into new images, info --children: chains on a real file system."""
import json
import os
import shutil

from driver import KIB, MIB, ToolCase, filler, seeded


class ChainCase(ToolCase):
    """base <- child <- grandchild, of one format."""
    extension = ".vhdx"

    def make_chain(self, extension):
        data = filler(seeded(), 2 * MIB)
        names = [name + extension for name in ("base", "child", "grandchild")]
        self.ok("create", names[0], "--size", "8M")
        self.ok("write", names[0], data=data)
        for parent, name, value in zip(names, names[1:], (b"c", b"g")):
            self.ok("snapshot", parent, name)
            self.ok("write", name, "--offset", MIB, data=value * 700)
        return names

    def both(self):
        for extension in (".vhd", ".vhdx"):
            for name in os.listdir(self.folder):
                path = self.path(name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
            yield extension, self.make_chain(extension)


class Tree(ChainCase):
    def test_draws_chains_and_names_what_is_missing(self):
        for extension, (base, child, grandchild) in self.both():
            os.mkdir(self.path("other"))
            self.ok("create", "other/alone" + extension, "--size", "4M")
            lines = self.ok("tree", ".").decode().splitlines()
            kind = extension[1:]
            self.assertEqual(lines, [
                f"{base}  {kind} dynamic, 8 MiB",
                f"`-- {child}  {kind} differencing, 8 MiB",
                f"    `-- {grandchild}  {kind} differencing, 8 MiB",
                f"other/alone{extension}  {kind} dynamic, 4 MiB"])
            os.rename(self.path(base), self.path("other/moved" + extension))
            text = self.ok("tree", ".").decode()
            self.assertIn("parent moved", text)
            os.remove(self.path("other/moved" + extension))
            text = self.ok("tree", ".").decode()
            self.assertIn(f"parent missing, tried {base}", text)

    def test_json(self):
        for extension, (base, child, grandchild) in self.both():
            document = self.json_of("tree", ".")
            images = {os.path.basename(image["path"]): image for image in document["images"]}
            self.assertEqual(sorted(images), sorted([base, child, grandchild]))
            self.assertIsNone(images[base]["parent"])
            self.assertEqual(images[child]["parent"]["state"], "found")
            self.assertEqual(images[child]["parent"]["path"], images[base]["path"])
            self.assertEqual(images[base]["children"], [images[child]["path"]])

    def test_bad_input(self):
        self.refused(2, "tree", "nowhere")
        self.write_file("file", b"x")
        self.refused(2, "tree", "file")
        self.assertEqual(self.ok("tree", "."), b"no images found\n")
        self.refused(3, "tree")


class Rebase(ChainCase):
    def test_after_a_move(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(grandchild)
            os.mkdir(self.path("moved"))
            os.rename(self.path(base), self.path("moved/" + base))
            self.refused(2, "read", child, "--length", 512)
            self.assertIn(b"would link", self.ok("rebase", child, "--parent", "moved/" + base,
                                                  "--dry-run"))
            self.refused(2, "read", child, "--length", 512)
            dry = self.json_of("rebase", child, "--parent", "moved/" + base, "--dry-run")
            self.assertEqual(dry, {"child": child, "parent": "moved/" + base,
                                   "parent_id": dry["parent_id"],
                                   "relative_path": f".\\moved\\{base}",
                                   "identity_changed": False, "dry_run": True})
            self.refused(2, "read", child, "--length", 512)
            out = self.ok("rebase", child, "--parent", "moved/" + base)
            self.assertEqual(out.decode(), f"linked {child} to moved/{base}\n")
            self.assertEqual(self.guest(grandchild), before)
            link = self.json_of("info", child)["parent"]
            self.assertIn(f".\\moved\\{base}", [path["path"] for path in link["paths"]])

    def test_another_disk_needs_a_proof(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(child)
            self.ok("convert", base, "twin" + extension)
            line = self.refused(2, "rebase", child, "--parent", "twin" + extension)
            self.assertIn("content id", line)
            digest = self.json_of("hash", child)["digest"]
            self.ok("rebase", child, "--parent", "twin" + extension, "--force-identity")
            self.assertEqual(self.guest(child), before)
            os.remove(self.path("twin" + extension))
            self.refused(2, "rebase", child, "--parent", base, "--force-identity")
            self.refused(2, "rebase", child, "--parent", base, "--force-identity", "--digest",
                         digest[::-1])
            self.ok("rebase", child, "--parent", base, "--force-identity", "--digest", digest)
            self.assertEqual(self.guest(child), before)

    def test_bad_input_changes_nothing(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.contents()
            self.refused(3, "rebase", child)
            self.refused(3, "rebase", child, "--parent", base, "--digest", "00")
            self.refused(2, "rebase", child, "--parent", "missing" + extension)
            self.refused(2, "rebase", child, "--parent", grandchild)
            self.refused(2, "rebase", child, "--parent", child)
            self.refused(2, "rebase", base, "--parent", child)
            self.refused(2, "rebase", "missing", "--parent", base)
            self.assertEqual(self.contents(), before)


class Relink(ChainCase):
    def test_finds_what_was_moved(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(grandchild)
            os.mkdir(self.path("a"))
            os.rename(self.path(base), self.path("a/x" + extension))
            os.rename(self.path(child), self.path("renamed" + extension))
            dry = self.json_of("relink", ".", "--dry-run")
            self.assertEqual(len(dry["links"]), 2)
            self.assertEqual(dry["unresolved"], [])
            self.refused(2, "read", grandchild, "--length", 512)
            self.ok("relink", ".")
            self.assertEqual(self.guest(grandchild), before)
            self.assertIn(b"nothing to do", self.ok("relink", "."))

    def test_what_stays_unresolved_is_the_answer_no(self):
        for extension, (base, child, grandchild) in self.both():
            shutil.copy(self.path(base), self.path("copy1" + extension))
            os.rename(self.path(base), self.path("copy2" + extension))
            before = self.contents()
            code, out, _ = self.run_tool("relink", ".")
            self.assertEqual(code, 1)
            self.assertIn(b"ambiguous", out)
            self.assertIn(b"copy1", out)
            self.assertIn(b"copy2", out)
            self.assertEqual(self.contents(), before)


class ParentOutside(ChainCase):
    """A parent in another directory: said when the child is made, and by tree; nothing moves."""

    def test_who_needs_a_parent_root_is_told(self):
        for extension, (base, child, grandchild) in self.both():
            os.mkdir(self.path("a"))
            os.mkdir(self.path("b"))
            os.rename(self.path(base), self.path("b/" + base))
            names = ["a/one" + extension, "a/two" + extension]
            for words in (["snapshot", "b/" + base, names[0]],
                          ["create", names[1], "--parent", "b/" + base]):
                self.assertIn(b"opening it needs --parent-root b", self.ok(*words))
            self.assertNotIn(b"--parent-root", self.ok("snapshot", "b/" + base, "b/x" + extension))
            self.refused(2, "hash", names[0])
            self.ok("hash", names[0], "--parent-root", "b")

    def test_tree_and_relink_settle(self):
        for extension, (base, child, grandchild) in self.both():
            os.remove(self.path(child))
            os.remove(self.path(grandchild))
            os.mkdir(self.path("a"))
            os.mkdir(self.path("b"))
            os.rename(self.path(base), self.path("b/" + base))
            name = "a/one" + extension
            self.ok("snapshot", "b/" + base, name)
            before = self.read_file(name)
            self.assertIn(b"opens only with --parent-root", self.ok("tree", "."))
            self.assertNotIn(b"moved", self.ok("tree", "."))
            self.assertIn(b"nothing to do", self.ok("relink", "."))
            self.assertEqual(self.read_file(name), before)
            os.rename(self.path("b/" + base), self.path("b/new" + extension))
            self.assertIn(b"parent moved", self.ok("tree", "."))
            root = self.ok("relink", ".").decode().split("--parent-root ")[1].strip()
            self.ok("hash", name, "--parent-root", root)
            self.assertIn(f"opens only with --parent-root {root}", self.ok("tree", ".").decode())
            self.assertIn(b"nothing to do", self.ok("relink", "."))
            states = [image["parent"]["state"] for image in self.json_of("tree", ".")["images"]
                      if image["parent"]]
            self.assertEqual(states, ["outside"])


class MergeOutput(ChainCase):
    def test_whole_chain_and_upper_part(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.contents()
            self.ok("merge", grandchild, "--output", "whole" + extension)
            self.ok("merge", grandchild, "--depth", "1", "--output", "upper" + extension)
            self.ok("merge", grandchild, "--output", "whole.raw")
            for name in ("whole" + extension, "upper" + extension, "whole.raw"):
                self.ok("compare", grandchild, name, "--strict")
            self.assertIsNone(self.json_of("info", "whole" + extension)["parent"])
            chain = self.json_of("info", "upper" + extension, "--chain")["chain"]
            self.assertEqual([os.path.basename(layer["path"]) for layer in chain],
                             ["upper" + extension, base])
            after = self.contents()
            self.assertEqual({name: after[name] for name in before}, before)
            self.refused(2, "merge", grandchild, "--output", "whole.raw")
            self.refused(2, "merge", grandchild, "--output", child, "--force")
            self.refused(3, "merge", grandchild, "--force")
            self.assertEqual(self.contents(), after)

    def test_a_middle_layer_goes_and_its_child_follows(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(grandchild)
            document = self.json_of("merge", child, "--delete")
            self.assertEqual([os.path.basename(path) for path in document["relinked_files"]],
                             [grandchild])
            self.assertNotIn(child, self.contents())
            self.assertEqual(self.guest(grandchild), before)
            self.ok("check", grandchild, "--chain")


class ParentNames(ChainCase):
    """Names that Windows could not have: a child that opens, or none."""

    def test_a_colon_is_a_character_of_a_name(self):
        for extension in (".vhd", ".vhdx"):
            for name in ("10:30", "e:f"):
                parent, child = name + extension, "child-of-" + name[0] + extension
                self.ok("create", parent, "--size", "4M")
                self.ok("write", parent, data=b"parent")
                self.ok("snapshot", parent, child)
                self.assertEqual(self.ok("read", child, "--length", 6), b"parent")
                self.ok("check", child, "--chain")
                os.rename(self.path(parent), self.path("moved:" + parent))
                self.ok("relink", ".")
                self.assertEqual(self.ok("read", child, "--length", 6), b"parent")
                self.assertIn(b"nothing to do", self.ok("relink", "."))

    def test_a_backslash_is_refused_before_anything_is_made(self):
        for extension, (base, child, grandchild) in self.both():
            bad = "a\\b" + extension
            os.rename(self.path(grandchild), self.path(bad))
            before = self.contents()
            for words in (["create", "new" + extension, "--parent", bad],
                          ["rebase", child, "--parent", bad]):
                self.refused(2, *words)
                self.assertEqual(self.contents(), before)
            self.assertIn("backslash", self.refused(2, "snapshot", bad, "new" + extension))

    def test_relink_does_not_link_to_a_backslash(self):
        for extension, (base, child, grandchild) in self.both():
            os.rename(self.path(base), self.path("a\\b" + extension))
            before = self.contents()
            code, out, _ = self.run_tool("relink", ".")
            self.assertEqual(code, 1)
            self.assertIn(b"backslash", out)
            self.assertNotIn(b"linked", out)
            self.assertEqual(self.contents(), before)

    def test_a_merge_that_could_not_link_the_children_is_not_begun(self):
        for extension, (base, child, grandchild) in self.both():
            bad = "a\\b" + extension
            os.rename(self.path(base), self.path(bad))
            before = self.contents()
            self.refused(2, "merge", child, "--parent", bad, "--delete")
            self.assertEqual(self.contents(), before)


class MergeLinks(ChainCase):
    """What --delete removes is the image, whatever names lead to it."""

    def test_a_link_is_followed_to_the_image_that_is_removed(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(grandchild)
            os.symlink(grandchild, self.path("current"))
            out = self.ok("merge", "current", "--all", "--delete").decode()
            self.assertIn("the link current leads nowhere", out)
            self.assertEqual(sorted(self.contents()), sorted([base, "current"]))
            self.assertTrue(os.path.islink(self.path("current")))
            self.assertEqual(self.guest(base), before)

    def test_a_link_in_another_directory(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(grandchild)
            os.mkdir(self.path("links"))
            os.symlink("../" + child, self.path("links/current"))
            document = self.json_of("merge", "links/current", "--delete", "--parent-root", ".")
            self.assertEqual([os.path.basename(path) for path in document["removed_files"]],
                             [child])
            self.assertEqual(self.guest(grandchild), before)
            self.ok("check", grandchild, "--chain")

    def test_the_whole_chain_goes_into_a_new_image(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(grandchild)
            os.symlink(grandchild, self.path("current"))
            self.ok("merge", "current", "--output", "new" + extension, "--delete")
            self.assertEqual(sorted(self.contents()), sorted(["current", "new" + extension]))
            self.assertEqual(self.guest("new" + extension), before)

    def test_a_second_hard_link_never_loses_its_parent(self):
        for extension, (base, child, grandchild) in self.both():
            guest = self.guest(grandchild)
            os.link(self.path(grandchild), self.path("other" + extension))
            before = self.contents()
            for words in (["--all"], ["--output", "new" + extension]):
                line = self.refused(2, "merge", grandchild, "--delete", *words)
                self.assertIn("2 hard links", line)
            self.assertEqual(self.contents(), before)
            # Its parent stays: the image is whole under the other name.
            self.ok("merge", grandchild, "--delete")
            self.assertEqual(self.guest("other" + extension), guest)


class ChildrenUnderManyNames(ChainCase):
    """A child reached by several names is one child."""

    def test_a_middle_layer_goes_though_its_child_has_more_names(self):
        for extension, (base, child, grandchild) in self.both():
            before = self.guest(grandchild)
            os.symlink(grandchild, self.path("a-link" + extension))
            os.link(self.path(grandchild), self.path("hard" + extension))
            names = self.json_of("info", child, "--children")["children"]
            self.assertEqual(len(names), 1)
            self.assertFalse(os.path.islink(names[0]), names)
            self.assertEqual(len(self.json_of("merge", child, "--delete")["relinked_files"]), 1)
            for name in (grandchild, "a-link" + extension, "hard" + extension):
                self.assertEqual(self.guest(name), before)

    def test_a_child_beside_the_image_is_seen_through_a_link_elsewhere(self):
        for extension, (base, child, grandchild) in self.both():
            os.mkdir(self.path("links"))
            os.symlink("../" + child, self.path("links/current"))
            self.assertEqual(len(self.json_of("info", "links/current", "--children")["children"]),
                             1)
            self.refused(2, "expand", "links/current", "--size", "9M", "--parent-root", ".")


class ChildrenBelowRoots(ChainCase):
    """What opens with --parent-root DIR is found there, however deep it lies."""

    def make_distant_child(self, extension):
        os.makedirs(self.path("a/deep/er"))
        os.mkdir(self.path("b"))
        base, middle, child = ("b/base" + extension, "b/middle" + extension,
                               "a/deep/er/child" + extension)
        self.ok("create", base, "--size", "4M")
        self.ok("snapshot", base, middle)
        self.ok("write", middle, "--length", "1M", "--pattern", "5")
        self.ok("snapshot", middle, child)
        return base, middle, child

    def distant_children(self):
        for extension, _ in self.both():
            yield extension, self.make_distant_child(extension)

    def test_children_are_named_and_warned_about(self):
        for _, (_, middle, child) in self.distant_children():
            names = self.json_of("info", middle, "--children", "--parent-root", ".")["children"]
            self.assertEqual([os.path.basename(name) for name in names], [os.path.basename(child)])
            _, _, err = self.run_tool("write", middle, "--parent-root", ".", data=b"x")
            self.assertIn(os.path.basename(child).encode(), err)

    def test_a_merged_layer_does_not_lose_them(self):
        for _, (base, middle, child) in self.distant_children():
            before = self.guest(child, "--parent-root", ".")
            document = self.json_of("merge", middle, "--delete", "--parent-root", ".")
            self.assertEqual(len(document["relinked_files"]), 1)
            self.assertEqual(self.guest(child, "--parent-root", "."), before)

    def test_sizes_and_visible_metadata_do_not_change_under_them(self):
        for extension, (base, middle, child) in self.distant_children():
            before = self.guest(child, "--parent-root", ".")
            self.refused(2, "expand", middle, "--size", "5M", "--parent-root", ".")
            self.refused(2, "shrink", middle, "--size", "3M", "--parent-root", ".")
            self.refused(2, "merge", middle, "--base", base, "--output", middle, "--force",
                         "--parent-root", ".")
            self.assertEqual(self.guest(child, "--parent-root", "."), before)

    def test_links_to_directories_are_not_followed_and_end_nowhere(self):
        for _, (_, middle, _) in self.distant_children():
            os.symlink(".", self.path("a/loop"))
            os.symlink("/", self.path("a/everything"))
            names = self.json_of("info", middle, "--children", "--parent-root", ".")["children"]
            self.assertEqual(len(names), 1)


class InfoChildren(ChainCase):
    def test_names_them(self):
        for extension, (base, child, grandchild) in self.both():
            self.assertEqual([os.path.basename(path) for path in
                              self.json_of("info", base, "--children")["children"]], [child])
            self.assertIn(b"none found", self.ok("info", grandchild, "--children"))
            self.assertNotIn("children", self.json_of("info", base))
