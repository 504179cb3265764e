"""Images written by Windows, Virtual PC, VirtualBox, QEMU: content, fields, nothing changed."""

import json
import sys
import unittest

import shared_images
from interop import (GIB, Case, oracle, qemu_options, run, sha256_of_file, vdisk,
                     vdisk_json)

HASHABLE = 2 * GIB  # sha-256 of more takes minutes; qemu compares larger ones, hole by hole


def parent_entry(entry):
    """The manifest entry of a differencing image's parent."""
    name = entry["parent"].rsplit("\\", 1)[1]
    return next(e for e in shared_images.manifest() if shared_images.name_of(e) == name)


class RealImages(Case):
    def for_each(self, examine, wanted=lambda entry: True):
        """Calls examine(entry, image) with every image, unpacked (with its parent) in a folder."""
        for entry in shared_images.manifest():
            if not wanted(entry):
                continue
            with self.subTest(image=entry["file"]):
                place = self.dir / entry["file"]
                place.mkdir()
                if "parent" in entry:
                    shared_images.unpack(parent_entry(entry), place)
                image = shared_images.unpack(entry, place)
                examine(entry, image)
                image.unlink()

    def test_content(self):
        self.for_each(self.check_content)

    def check_content(self, entry, image):
        before = sha256_of_file(image)
        self.assertEqual(before, entry["sha256_file"], "not the image that was packed")
        if entry["virtual_size"] <= HASHABLE:
            digest = vdisk_json("hash", image, "--sha256")
            self.assertEqual(digest["digest"], entry["sha256_guest"])
            self.assertEqual(digest["virtual_size"], entry["virtual_size"])
        elif entry.get("content") == "empty":
            self.check_empty(entry, image)
        else:
            raw = image.with_name("copy.raw")
            vdisk("convert", image, raw, "--quiet")
            run([oracle("qemu-img"), "compare", "--image-opts", qemu_options(image),
                 qemu_options(raw)])
        self.assertEqual(sha256_of_file(image), before, "reading changed the file")

    def check_empty(self, entry, image):
        for extent in vdisk_json("map", image):
            self.assertFalse(extent["data"], extent)
        empty = self.dir / "empty.vhdx"
        vdisk("create", empty, "--size", entry["virtual_size"])
        vdisk("compare", image, empty)

    def test_fields(self):
        self.for_each(self.check_fields)

    def check_fields(self, entry, image):
        info = vdisk_json("info", image)
        self.assertEqual(info["format"], entry["format"])
        self.assertEqual(info["type"], entry["subtype"])
        self.assertEqual(info["virtual_size"], entry["virtual_size"])
        self.assertEqual(info["file_size"], entry["file_size"])
        self.assertEqual(info["logical_sector_size"], entry["sector_size"])
        self.assertEqual(info["dirty"], entry.get("log") == "dirty")
        for ours, theirs in (("block_size", "block_size"), ("id", "disk_id"),
                             ("physical_sector_size", "physical_sector"),
                             ("blocks_total", "bat_entries"),
                             ("blocks_allocated", "bat_allocated")):
            if theirs in entry:
                self.assertEqual(info[ours], entry[theirs], ours)
        if "chs" in entry:
            chs = info["geometry"]
            self.assertEqual([chs["cylinders"], chs["heads"], chs["sectors"]], entry["chs"])
        if entry["format"] == "vhdx":
            self.assertEqual(info["creator"], entry["creator"])
            if not info["dirty"]:
                allocated = sum(n for state, n in entry["bat_states"].items() if int(state) >= 6)
                self.assertEqual(info["blocks_allocated"], allocated)
        else:
            self.assertIn(entry["creator"].split()[0], info["creator"])

    def test_check(self):
        """No image has an error. Warnings: a dirty log, an id of zeros."""
        self.for_each(self.check_check)

    def check_check(self, entry, image):
        dirty = entry.get("log") == "dirty"
        without_id = entry.get("disk_id", "").strip("0-") == "" and entry["format"] == "vhd"
        if not dirty and not without_id:
            self.assert_check_clean(image)
            return
        report = json.loads(vdisk("check", image, "--json", expect=(1,)))
        self.assertTrue(report["findings"])
        self.assertNotIn("error", [finding["severity"] for finding in report["findings"]])

    def test_writable_open_replays_a_dirty_log(self):
        self.for_each(self.check_replay, lambda entry: entry.get("log") == "dirty")

    def check_replay(self, entry, image):
        raw = image.with_name("before.raw")
        vdisk("convert", image, raw, "--quiet")
        vdisk("write", image, "--offset", entry["virtual_size"] - 512, "--length", 512,
              "--pattern", 0)
        self.assertFalse(vdisk_json("info", image)["dirty"])
        run([oracle("qemu-img"), "check", "-f", "vhdx", image])
        run([oracle("qemu-img"), "compare", "--image-opts", qemu_options(image),
             qemu_options(raw)])
        self.assert_check_clean(image)

    def test_parent_of_the_windows_child(self):
        self.for_each(self.check_parent, lambda entry: "parent" in entry)

    def check_parent(self, entry, image):
        parent = vdisk_json("info", image)["parent"]
        self.assertEqual(parent["id"], parent_entry(entry)["disk_id"])
        self.assertIn(entry["parent"], [path["path"] for path in parent["paths"]])
        chain = vdisk_json("info", image, "--chain")["chain"]
        self.assertEqual(len(chain), 2)
        self.assertTrue(chain[1]["path"].endswith("win8.vhd"))

    def test_copies_in_every_format(self):
        self.for_each(self.check_copies, lambda entry: entry["virtual_size"] <= HASHABLE)

    def check_copies(self, entry, image):
        raw = image.with_name("copy.raw")
        vdisk("convert", image, raw, "--quiet")
        for name in ("copy.vhd", "copy.vhdx"):
            copy = image.with_name(name)
            vdisk("convert", image, copy, "--quiet")
            run([oracle("qemu-img"), "compare", "--image-opts", qemu_options(copy),
                 qemu_options(raw)])
            copy.unlink()


if __name__ == "__main__":
    if shared_images.folder() is None:
        print("skipped: no folder of shared images (VDISK_SHARED_IMAGES)")
        sys.exit(77)
    unittest.main(verbosity=2)
