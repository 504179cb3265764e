"""Images written by Windows, Virtual PC, VirtualBox, QEMU: content, fields, nothing changed."""

import sys
import unittest

import shared_images
from interop import GIB, Case, oracle, run, sha256_of_file, vdisk, vdisk_json

HASHABLE = 16 * GIB  # sha-256 of more takes minutes


def parent_entry(entry):
    """The manifest entry of a differencing image's parent."""
    name = entry["parent"].rsplit("\\", 1)[1]
    return next(e for e in shared_images.manifest() if shared_images.name_of(e) == name)


class RealImages(Case):
    def each(self):
        """Every image, unpacked (with its parent) in a folder of its own."""
        for entry in shared_images.manifest():
            with self.subTest(image=entry["file"]):
                place = self.dir / entry["file"]
                place.mkdir()
                if "parent" in entry:
                    shared_images.unpack(parent_entry(entry), place)
                image = shared_images.unpack(entry, place)
                yield entry, image
                image.unlink()

    def test_content(self):
        for entry, image in self.each():
            before = sha256_of_file(image)
            self.assertEqual(before, entry["sha256_file"], "not the image that was packed")
            if entry["virtual_size"] <= HASHABLE:
                digest = vdisk_json("hash", image, "--sha256")
                self.assertEqual(digest["digest"], entry["sha256_guest"])
                self.assertEqual(digest["virtual_size"], entry["virtual_size"])
            else:
                self.assert_empty(entry, image)
            self.assertEqual(sha256_of_file(image), before, "reading changed the file")

    def assert_empty(self, entry, image):
        self.assertEqual(entry["content"], "empty")
        for extent in vdisk_json("map", image):
            self.assertFalse(extent["data"], extent)
        empty = self.dir / "empty.vhdx"
        vdisk("create", empty, "--size", entry["virtual_size"])
        vdisk("compare", image, empty)

    def test_fields(self):
        for entry, image in self.each():
            info = vdisk_json("info", image)
            self.assertEqual(info["format"], entry["format"])
            self.assertEqual(info["type"], entry["subtype"])
            self.assertEqual(info["virtual_size"], entry["virtual_size"])
            self.assertEqual(info["file_size"], entry["file_size"])
            self.assertEqual(info["logical_sector_size"], entry["sector_size"])
            self.assertEqual(info["dirty"], entry.get("log") == "dirty")
            if "block_size" in entry:
                self.assertEqual(info["block_size"], entry["block_size"])
            if "disk_id" in entry:
                self.assertEqual(info["id"], entry["disk_id"])
            if "physical_sector" in entry:
                self.assertEqual(info["physical_sector_size"], entry["physical_sector"])
            if "chs" in entry:
                chs = info["geometry"]
                self.assertEqual([chs["cylinders"], chs["heads"], chs["sectors"]], entry["chs"])
            if entry["format"] == "vhdx":
                self.assertEqual(info["creator"], entry["creator"])
                if info["dirty"]:
                    continue
                allocated = sum(n for state, n in entry["bat_states"].items() if int(state) >= 6)
                self.assertEqual(info["blocks_allocated"], allocated)
            else:
                self.assertIn(entry["creator"].split()[0], info["creator"])
                if "bat_allocated" in entry:
                    self.assertEqual(info["blocks_allocated"], entry["bat_allocated"])
                    self.assertEqual(info["blocks_total"], entry["bat_entries"])

    def test_check_finds_nothing_worse_than_a_dirty_log(self):
        for entry, image in self.each():
            if entry.get("log") != "dirty":
                self.assert_check_clean(image)
                continue
            out = vdisk("check", image, "--json", expect=(1,))
            self.assertNotIn(b'"error"', out)

    def test_writable_open_replays_a_dirty_log(self):
        for entry, image in self.each():
            if entry.get("log") != "dirty":
                continue
            vdisk("write", image, "--offset", entry["virtual_size"] - 512, "--length", 512,
                  "--pattern", 0)
            self.assertFalse(vdisk_json("info", image)["dirty"])
            digest = vdisk_json("hash", image, "--sha256")
            self.assertEqual(digest["digest"], entry["sha256_guest"])
            run([oracle("qemu-img"), "check", "-f", "vhdx", image])
            self.assert_check_clean(image)

    def test_parent_of_the_windows_child(self):
        for entry, image in self.each():
            if "parent" not in entry:
                continue
            parent = vdisk_json("info", image)["parent"]
            self.assertEqual(parent["id"], parent_entry(entry)["disk_id"])
            self.assertIn(entry["parent"], [path["path"] for path in parent["paths"]])
            chain = vdisk_json("info", image, "--chain")["chain"]
            self.assertEqual(len(chain), 2)
            self.assertTrue(chain[1]["path"].endswith("win8.vhd"))

    def test_convert_to_every_format_keeps_the_content(self):
        for entry, image in self.each():
            if entry["virtual_size"] > GIB:
                continue
            for name in ("copy.vhd", "copy.vhdx"):
                copy = image.with_name(name)
                vdisk("convert", image, copy, "--quiet")
                digest = vdisk_json("hash", copy, "--sha256")
                self.assertEqual(digest["digest"], entry["sha256_guest"], name)
                copy.unlink()


if __name__ == "__main__":
    if shared_images.folder() is None:
        print("skipped: no folder of shared images (VDISK_SHARED_IMAGES)")
        sys.exit(77)
    unittest.main(verbosity=2)
