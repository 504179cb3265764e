"""The verbs beyond reading and writing, on images of other systems and against other tools:
gzip'd sources as they are, streams, merges into new images, manifests, metadata, links."""

import gzip
import hashlib
import json
import random
import shutil
import subprocess
import sys
import unittest

import flat
import shared_images
from interop import (GIB, MIB, SEED, TOOL, Case, oracle, qemu_options, run, sha256_of_file, vdisk,
                     vdisk_json)

HASHABLE = 2 * GIB
NOTE = "6f5cd5b6-36a0-4a1a-8d5c-5f8a36e0a7d2"


def small(entry):
    return entry["virtual_size"] <= HASHABLE


@unittest.skipUnless(shared_images.folder(), "the shared images are not here")
class RealImages(Case):
    def for_each(self, examine, wanted):
        for entry in shared_images.manifest():
            if not wanted(entry) or not small(entry):
                continue
            with self.subTest(image=entry["file"]):
                examine(entry)

    def test_gzipped_images_are_read_without_unpacking_them(self):
        self.for_each(self.check_gzipped_images_are_read_without_unpacking_them,
                      lambda e: e["file"].endswith(".gz") and "parent" not in e)

    def check_gzipped_images_are_read_without_unpacking_them(self, entry):
        packed = shared_images.folder() / entry["file"]
        stream = subprocess.Popen([TOOL, "convert", packed, "-"], stdout=subprocess.PIPE)
        digest = hashlib.sha256()
        while block := stream.stdout.read(flat.CHUNK):
            digest.update(block)
        stream.stdout.close()
        self.assertEqual(stream.wait(), 0)
        self.assertEqual(digest.hexdigest(), entry["sha256_guest"])

    def test_streams_of_fixed_vhds_are_what_qemu_reads(self):
        self.for_each(self.check_streams_of_fixed_vhds_are_what_qemu_reads,
                      lambda e: "parent" not in e and e["virtual_size"] <= 256 * MIB)

    def check_streams_of_fixed_vhds_are_what_qemu_reads(self, entry):
        image = shared_images.unpack(entry, self.dir)
        out = self.dir / "out.vhd"
        with open(out, "wb") as file:
            subprocess.run([TOOL, "convert", image, "-", "--format", "vhd"], stdout=file,
                           check=True)
        digest = hashlib.sha256(out.read_bytes()[:-512]).hexdigest()
        self.assertEqual(digest, entry["sha256_guest"])
        run([oracle("qemu-img"), "info", "--image-opts", qemu_options(out)])
        measured = vdisk("convert", image, "-", "--format", "vhd", "--measure")
        self.assertEqual(int(measured), out.stat().st_size)
        image.unlink()

    def test_manifests_of_real_images_hold_what_sha256_says(self):
        self.for_each(self.check_manifests_of_real_images_hold_what_sha256_says,
                      lambda e: "parent" not in e and e["virtual_size"] <= 256 * MIB)

    def check_manifests_of_real_images_hold_what_sha256_says(self, entry):
        image = shared_images.unpack(entry, self.dir)
        raw = self.dir / "raw.raw"
        vdisk("convert", image, raw, "--force", "--quiet")
        manifest = json.loads(vdisk("hash", image, "--blocks", "--sha256"))
        found = {block["offset"]: block["digest"] for block in manifest["blocks"]}
        data = raw.read_bytes()
        for offset in range(0, len(data), MIB):
            block = data[offset:offset + MIB].ljust(MIB, b"\0")
            expected = None if not any(block) else hashlib.sha256(block).hexdigest()
            self.assertEqual(found.get(offset), expected)
        image.unlink()

    def test_metadata_items_leave_the_rest_of_real_images_alone(self):
        self.for_each(self.check_metadata_items_leave_the_rest_of_real_images_alone,
                      lambda e: e["format"] == "vhdx")

    def check_metadata_items_leave_the_rest_of_real_images_alone(self, entry):
        image = shared_images.unpack(entry, self.dir)
        known = vdisk_json("metadata", image)["items"]
        before = vdisk_json("hash", image)
        blob = bytes(range(256)) * 4096  # 1 MiB: no region of these has room for it
        vdisk("metadata", image, "--set", NOTE, "--value", "note")
        vdisk("metadata", image, "--set", NOTE, input=blob)
        self.assertEqual(vdisk("metadata", image, "--get", NOTE), blob)
        after = [item for item in vdisk_json("metadata", image)["items"] if not item["user"]]
        self.assertEqual([item["id"] for item in after], [item["id"] for item in known])
        self.assertEqual(vdisk_json("hash", image), before)
        self.assert_check_clean(image)
        if entry["sector_size"] == 512:
            run([oracle("qemu-img"), "check", "-f", "vhdx", image])
        image.unlink()

    def test_children_of_real_images(self):
        """A real image as a base: chains on it are moved, relinked, merged into a new image."""
        self.for_each(self.check_children_of_real_images,
                      lambda e: "parent" not in e and e["virtual_size"] <= 256 * MIB)

    def check_children_of_real_images(self, entry):
        folder = self.dir / entry["file"]
        folder.mkdir()
        base = shared_images.unpack(entry, folder)
        if not vdisk_json("info", base)["id"].strip("0-"):
            return  # no child could name it (V13)
        child = folder / ("child" + base.suffix)
        vdisk("snapshot", base, child)
        vdisk("write", child, "--offset", 700, input=b"changed")
        before = vdisk_json("hash", child)["digest"]
        (folder / "moved").mkdir()
        shutil.move(base, folder / "moved" / base.name)
        run([TOOL, "info", child, "--chain"], expect=(2,))
        vdisk("relink", folder)
        self.assertEqual(vdisk_json("hash", child)["digest"], before)
        tree = vdisk_json("tree", folder)
        self.assertEqual({image["parent"]["state"] for image in tree["images"]
                          if image["parent"]}, {"found"})
        whole = folder / ("whole" + base.suffix)
        vdisk("merge", child, "--output", whole)
        self.assertEqual(vdisk_json("hash", whole)["digest"], before)
        self.assertEqual(sha256_of_file(folder / "moved" / base.name), entry["sha256_file"])


class OtherTools(Case):
    def test_gzip_and_ours_agree(self):
        source = self.dir / "s.raw"
        with open(source, "wb") as file:
            file.truncate(40 * MIB)
            file.seek(3 * MIB)
            file.write(b"text " * MIB)
        vdisk("convert", source, self.dir / "ours.raw.gz")
        self.assertEqual(run([oracle("gzip"), "-dc", self.dir / "ours.raw.gz"]),
                         source.read_bytes())
        run([oracle("gzip"), "-k9", source])
        vdisk("convert", self.dir / "s.raw.gz", self.dir / "back.vhdx", "--verify")
        run([oracle("qemu-img"), "compare", "--image-opts", qemu_options(self.dir / "back.vhdx"),
             qemu_options(source)])

    def test_7zip_follows_a_rewritten_link(self):
        for suffix in (".vhd", ".vhdx"):
            with self.subTest(suffix):
                folder = self.dir / suffix
                folder.mkdir()
                base, child = folder / f"base{suffix}", folder / f"child{suffix}"
                model = flat.Flat(folder / "model.raw", 8 * MIB)
                vdisk("create", base, "--size", 8 * MIB)
                self.write(base, model, 512, b"base" * 3000)
                vdisk("snapshot", base, child)
                self.write(child, model, 4096, b"child" * 300)
                moved = folder / f"renamed{suffix}"
                base.rename(moved)
                vdisk("rebase", child, "--parent", moved)
                self.assert_7zip_agrees(child, model)

    def test_qemu_reads_what_was_merged_into_a_new_image(self):
        for suffix in (".vhd", ".vhdx"):
            with self.subTest(suffix):
                folder = self.dir / suffix
                folder.mkdir()
                model = flat.Flat(folder / "model.raw", 16 * MIB)
                leaf = folder / f"0{suffix}"
                vdisk("create", leaf, "--size", 16 * MIB)
                for layer in range(1, 5):
                    child = folder / f"{layer}{suffix}"
                    vdisk("snapshot", leaf, child)
                    leaf = child
                    self.write(leaf, model, layer * 3 * MIB + 512, bytes([layer]) * (MIB + 512))
                    self.zero(leaf, model, layer * 2 * MIB, 64 << 10)
                whole = folder / f"whole{suffix}"
                vdisk("merge", leaf, "--output", whole)
                self.assert_qemu_agrees(whole, model)
                upper = folder / f"upper{suffix}"
                vdisk("merge", leaf, "--depth", 2, "--output", upper)
                self.assert_7zip_agrees(upper, model)

    def test_ranges_of_diff_and_changes_turn_the_old_disk_into_the_new_one(self):
        """Images of qemu, changed by qemu; the ranges are applied to a raw copy by hand."""
        for suffix, driver, options in ((".vhd", "vpc", "force_size=on"),
                                        (".vhdx", "vhdx", "block_size=1M")):
            with self.subTest(suffix):
                rng = random.Random(f"{SEED}{suffix}")
                old, new = self.dir / f"old{suffix}", self.dir / f"new{suffix}"
                run([oracle("qemu-img"), "create", "-f", driver, "-o", options, old, 24 * MIB])
                self.scribble(old, rng)
                since = self.dir / f"since{suffix}.json"
                since.write_bytes(vdisk("hash", old, "--blocks", "--block-size", "64K"))
                shutil.copy(old, new)
                self.scribble(new, rng)
                for changes in (vdisk_json("changes", new, "--since", since),
                                json.loads(run([TOOL, "diff", old, new, "--json"], expect=(1,)))):
                    copy = self.dir / "copy.raw"
                    run([oracle("qemu-img"), "convert", "-O", "raw", "--image-opts",
                         qemu_options(old), copy])
                    self.apply(copy, new, changes)
                    run([oracle("qemu-img"), "compare", "--image-opts", qemu_options(new),
                         qemu_options(copy)])

    def scribble(self, image, rng):
        commands = []
        for number in range(12):
            offset = rng.randrange(24 * MIB // 4096 - 64) * 4096
            pattern = 0 if number % 4 == 3 else rng.randrange(1, 256)
            commands += ["-c", f"write -P {pattern} {offset} {rng.randrange(1, 64) * 4096}"]
        run([oracle("qemu-io"), "--image-opts", *commands, qemu_options(image)])

    def apply(self, copy, image, changes):
        self.assertEqual(changes["changed_bytes"], sum(r["length"] for r in changes["ranges"]))
        with open(copy, "r+b") as file:
            for part in changes["ranges"]:
                data = bytes(part["length"])
                if not part["zero"]:
                    data = vdisk("read", image, "--offset", part["offset"], "--length",
                                 part["length"])
                file.seek(part["offset"])
                file.write(data)

    def test_7zip_reads_children_that_were_linked_past_a_merged_layer(self):
        for suffix in (".vhd", ".vhdx"):
            with self.subTest(suffix):
                folder = self.dir / suffix
                folder.mkdir()
                base, middle = folder / f"base{suffix}", folder / f"middle{suffix}"
                shared = flat.Flat(folder / "shared.raw", 16 * MIB)
                vdisk("create", base, "--size", 16 * MIB)
                self.write(base, shared, 512, b"base" * 3000)
                vdisk("snapshot", base, middle)
                self.write(middle, shared, 4 * MIB - 512, b"middle" * 300)
                self.zero(middle, shared, 4096, 4096)
                models = []
                for name in ("first", "second"):
                    child = folder / f"{name}{suffix}"
                    vdisk("snapshot", middle, child)
                    model = shared.copy_to(folder / f"{name}.raw")
                    self.write(child, model, 8 * MIB + 512, name.encode() * 200)
                    models.append((child, model))
                vdisk("merge", middle, "--delete")
                self.assertFalse(middle.exists())
                self.assert_qemu_agrees(base, shared)
                for child, model in models:
                    self.assert_7zip_agrees(child, model)
                    self.assert_check_clean(child)

    def test_images_for_a_profile_are_what_qemu_says(self):
        source = self.dir / "source.raw"
        model = flat.Flat(source, 5 * MIB + 512)
        model.write(3 * MIB, b"profile" * 1000)
        for profile, suffix in (("azure", ".vhd"), ("hyperv", ".vhdx"), ("wsl", ".vhdx"),
                                ("xen", ".vhd"), ("virtualbox", ".vhd"), ("qemu", ".vhdx")):
            with self.subTest(profile):
                rounded = 6 * MIB if profile == "azure" else 5 * MIB + 512
                expected = flat.Flat(self.dir / f"{profile}.raw", rounded)
                expected.write(3 * MIB, b"profile" * 1000)
                created = self.dir / f"created-{profile}{suffix}"
                vdisk("create", created, "--profile", profile, "--source", source)
                converted = self.dir / f"converted-{profile}{suffix}"
                vdisk("convert", source, converted, "--profile", profile, "--verify")
                for image in (created, converted):
                    self.assert_qemu_agrees(image, expected)
                    vdisk("check", image, "--profile", profile)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
