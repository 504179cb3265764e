"""Each verb on each subtype: what it does, what it prints, its JSON."""
import hashlib
import json
import os
import re
import shutil
import unittest

from driver import GIB, KIB, MIB, SUBTYPES, ToolCase, filler, seeded

SIZE = 12 * MIB
INFO_FIELDS = [
    "path", "format", "type", "virtual_size", "file_size", "allocated_size", "block_size",
    "blocks_allocated", "blocks_total", "logical_sector_size", "physical_sector_size", "id",
    "data_write_id", "creator", "created", "dirty", "parent", "geometry", "warnings"]
MAP_FIELDS = {"start", "length", "depth", "present", "zero", "data", "path"}


class Create(ToolCase):
    def test_says_in_one_line_what_was_made(self):
        self.assertEqual(self.ok("create", "disk.vhdx", "--size", "64G"),
                         b"created disk.vhdx: vhdx dynamic, 64 GiB\n")
        self.assertEqual(self.ok("create", "disk.img", "--size", "1M"),
                         b"created disk.img: raw, 1 MiB\n")
        self.assertEqual(self.ok("create", "d.vhd", "--size", "8M", "--type", "fixed"),
                         b"created d.vhd: vhd fixed, 8 MiB\n")
        self.assertEqual(self.ok("create", "quiet.vhd", "--size", "8M", "--quiet"), b"")

    def test_every_subtype_has_the_type_and_size_asked_for(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                info = self.json_of("info", file)
                self.assertEqual(info["virtual_size"], SIZE)
                self.assertEqual(info["format"], subtype.split()[0])
                if subtype != "raw":
                    self.assertEqual(info["type"], subtype.split()[1])

    def test_json(self):
        made = self.json_of("create", "disk.vhdx", "--size", "1G", "--block-size", "8M",
                            "--id", "{01234567-89AB-CDEF-0123-456789ABCDEF}")
        self.assertEqual(made["path"], "disk.vhdx")
        self.assertEqual(made["format"], "vhdx")
        self.assertEqual(made["type"], "dynamic")
        self.assertEqual(made["virtual_size"], GIB)
        self.assertEqual(made["block_size"], 8 * MIB)
        self.assertEqual(made["id"], "01234567-89ab-cdef-0123-456789abcdef")
        self.assertEqual(self.json_of("info", "disk.vhdx")["id"], made["id"])

    def test_options_reach_the_image(self):
        self.ok("create", "a.vhdx", "--size", "1G", "--block-size", "1M", "--logical-sector",
                "4096", "--physical-sector", "4096")
        info = self.json_of("info", "a.vhdx")
        self.assertEqual((info["block_size"], info["logical_sector_size"],
                          info["physical_sector_size"]), (MIB, 4096, 4096))
        self.ok("create", "name-without-extension", "--size", "1M", "--format", "vhd")
        self.assertEqual(self.json_of("info", "name-without-extension")["format"], "vhd")

    def test_profiles(self):
        expected = {"azure": ("vhd", "fixed", None), "hyperv": ("vhdx", "dynamic", 32 * MIB),
                    "wsl": ("vhdx", "dynamic", MIB), "xen": ("vhd", "dynamic", 2 * MIB),
                    "virtualbox": ("vhd", "dynamic", 2 * MIB), "qemu": ("vhdx", "dynamic", None)}
        for profile, (kind, image_type, block) in expected.items():
            with self.subTest(profile):
                made = self.json_of("create", f"{profile}.{kind}", "--size", "10M", "--profile",
                                    profile)
                self.assertEqual((made["format"], made["type"]), (kind, image_type))
                if block:
                    self.assertEqual(made["block_size"], block)
        line = self.ok("create", "odd.vhd", "--size", "1234567", "--profile", "azure").decode()
        self.assertIn("rounded up from 1234567 to 2097152", line)
        self.assertEqual(self.json_of("info", "odd.vhd")["virtual_size"], 2 * MIB)
        self.refused(3, "create", "x.vhd", "--size", "1M", "--profile", "hyperv")
        self.refused(3, "create", "x.vhd", "--size", "1M", "--profile", "azure", "--type",
                     "dynamic")
        self.refused(3, "create", "x.vhd", "--size", "1M", "--profile", "aws")

    def test_from_a_source(self):
        data = filler(seeded(), 3 * MIB)
        self.write_file("source.raw", data)
        for subtype in ("raw", "vhd fixed", "vhd dynamic", "vhdx fixed", "vhdx dynamic"):
            with self.subTest(subtype):
                extension, options = SUBTYPES[subtype]
                file = "copy-" + subtype.replace(" ", "-") + extension
                self.ok("create", file, "--source", "source.raw", *options)
                self.assertEqual(self.guest(file), data)

    def test_needs_a_size_a_source_or_a_parent(self):
        self.assertIn("--size", self.refused(3, "create", "x.vhdx"))
        self.refused(3, "create", "x.unknown", "--size", "1M")
        self.assertEqual(self.contents(), {})


class Info(ToolCase):
    def test_json_has_exactly_the_fields_of_the_contract(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                info = self.json_of("info", file)
                self.assertEqual(list(info), INFO_FIELDS)
                self.assertFalse(info["dirty"])
                self.assertEqual(info["file_size"], os.path.getsize(self.path(file)))
                if subtype.startswith("vhd "):
                    self.assertEqual(set(info["geometry"]), {"cylinders", "heads", "sectors"})
                if info["created"] is not None:
                    self.assertRegex(info["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                self.assertEqual(info["parent"] is not None, subtype.endswith("differencing"))

    def test_parent_is_told_but_not_opened_without_chain(self):
        self.ok("create", "base.vhdx", "--size", "1G")
        self.ok("snapshot", "base.vhdx", "child.vhdx")
        os.rename(self.path("base.vhdx"), self.path("moved.vhdx"))
        parent = self.json_of("info", "child.vhdx")["parent"]
        self.assertEqual(set(parent), {"id", "paths", "raw", "resolved"})
        self.assertIsNone(parent["resolved"])
        self.assertIn({"kind": "relative_path", "path": ".\\base.vhdx"}, parent["paths"])
        self.refused(2, "info", "child.vhdx", "--chain")

    def test_chain_is_leaf_first_and_resolved(self):
        self.ok("create", "base.vhd", "--size", "1G")
        self.ok("snapshot", "base.vhd", "middle.vhd")
        self.ok("snapshot", "middle.vhd", "leaf.vhd")
        info = self.json_of("info", "leaf.vhd", "--chain")
        names = [os.path.basename(layer["path"]) for layer in info["chain"]]
        self.assertEqual(names, ["leaf.vhd", "middle.vhd", "base.vhd"])
        self.assertEqual(os.path.basename(info["parent"]["resolved"]), "middle.vhd")
        self.assertEqual(list(info), INFO_FIELDS + ["chain"])

    def test_text_fits_one_screen(self):
        for subtype in SUBTYPES:
            text = self.ok("info", self.make(subtype, SIZE, subtype.replace(" ", "-"))).decode()
            self.assertLessEqual(len(text.splitlines()), 24)
            for line in text.splitlines():
                self.assertRegex(line, r"^[a-z ]+: +\S")


class Content(ToolCase):
    def test_what_is_written_is_read_on_every_subtype(self):
        generator = seeded()
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                model = bytearray(SIZE)
                for _ in range(12):
                    length = generator.choice([1, 511, 512, 4096, 65537, 3 * MIB])
                    offset = generator.randrange(SIZE - length)
                    piece = filler(generator, length)
                    self.ok("write", file, "--offset", offset, data=piece)
                    model[offset:offset + length] = piece
                    self.assertEqual(self.guest(file, "--offset", offset, "--length", length),
                                     piece)
                self.assertEqual(self.guest(file), bytes(model))
                self.ok("check", file)

    def test_zero_hides_data_of_file_and_parent(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                base = file.replace(".", "-base.")
                target = base if os.path.exists(self.path(base)) else file
                if target == base:
                    os.remove(self.path(file))
                self.ok("write", target, "--length", SIZE, "--pattern", "0xAB")
                if target == base:
                    self.ok("create", file, "--parent", base)
                line = self.ok("zero", file, "--offset", 1000, "--length", "5M")
                self.assertIn(b"zeroed 5 MiB", line)
                expected = b"\xAB" * 1000 + bytes(5 * MIB) + b"\xAB" * (SIZE - 5 * MIB - 1000)
                self.assertEqual(self.guest(file), expected)
                self.ok("check", file)

    def test_writing_to_a_parent_is_warned_of(self):
        for extension in (".vhd", ".vhdx"):
            base, child = "base" + extension, "child" + extension
            self.ok("create", base, "--size", "4M")
            for words in (["write", base, "--pattern", "1"], ["zero", base], ["discard", base]):
                code, _, err = self.run_tool(*words, "--length", "512")
                self.assertEqual((code, err), (0, b""), words)
            self.ok("snapshot", base, child)
            code, _, err = self.run_tool("zero", base, "--length", "512")
            self.assertEqual(code, 0)
            self.assertIn(f"warning: {base} is the parent of ", err.decode())
            self.assertIn(child, err.decode())
            code, _, err = self.run_tool("zero", child, "--length", "512")
            if extension == ".vhd":
                self.assertEqual((code, err), (0, b""))

    def test_discard_gives_zeros_or_the_old_bytes_never_the_parents(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                self.ok("write", file, "--length", SIZE, "--pattern", "7")
                self.ok("discard", file, "--offset", 100, "--length", "6M")
                data = self.guest(file)
                self.assertEqual(data[:100], b"\7" * 100)
                self.assertEqual(data[6 * MIB + 512:], b"\7" * (6 * MIB - 512))
                self.assertLessEqual(set(data), {0, 7})
                self.ok("check", file)

    def test_write_takes_a_file_a_pattern_or_the_standard_input(self):
        self.ok("create", "d.vhdx", "--size", "8M")
        self.write_file("in.bin", b"abc" * 1000)
        self.assertIn(b"wrote 2.93 KiB", self.ok("write", "d.vhdx", "--input", "in.bin"))
        self.assertEqual(self.guest("d.vhdx", "--length", 3000), b"abc" * 1000)
        self.ok("write", "d.vhdx", "--pattern", "0x5a", "--offset", 5, "--length", 3)
        self.assertEqual(self.guest("d.vhdx", "--length", 9), b"abcabZZZc")
        self.ok("write", "d.vhdx", "--length", 4, data=b"123456")
        self.assertEqual(self.guest("d.vhdx", "--length", 6), b"1234bZ")
        self.refused(3, "write", "d.vhdx", "--pattern", "1")
        self.refused(3, "write", "d.vhdx", "--pattern", "1", "--length", "1", "--input", "in.bin")

    def test_a_write_past_the_end_changes_nothing(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                self.write_file("in.bin", bytes([9]) * 4096)
                before = self.contents()
                with open(self.path("in.bin"), "rb") as stdin:
                    self.refused(2, "write", file, "--offset", SIZE - 4095, stdin=stdin)
                self.refused(2, "write", file, "--offset", SIZE - 4095, "--input", "in.bin")
                self.refused(2, "write", file, "--offset", SIZE, "--length", 1, "--pattern", 1)
                self.refused(2, "zero", file, "--offset", SIZE, "--length", 1)
                self.refused(2, "discard", file, "--offset", 1, "--length", SIZE)
                self.refused(2, "read", file, "--offset", SIZE + 1)
                self.assertEqual(self.contents(), before)

    def test_a_pipe_that_is_too_long_or_too_short_is_told_with_what_was_written(self):
        self.ok("create", "d.vhd", "--size", "1M")
        line = self.refused(2, "write", "d.vhd", "--offset", MIB - 10, data=b"x" * 11)
        self.assertIn("10 bytes were written", line)
        self.assertEqual(self.guest("d.vhd", "--offset", MIB - 10), b"x" * 10)
        line = self.refused(2, "write", "d.vhd", "--length", 100, data=b"y" * 7)
        self.assertIn("7 bytes were written", line)
        self.ok("write", "d.vhd", "--offset", MIB - 10, data=b"z" * 10)

    def test_output_files_are_sparse_and_exact(self):
        self.ok("create", "d.vhdx", "--size", "1G")
        self.ok("write", "d.vhdx", "--offset", "512M", data=b"here")
        self.assertEqual(self.ok("read", "d.vhdx", "--output", "d.raw"), b"read 1 GiB into d.raw\n")
        status = os.stat(self.path("d.raw"))
        self.assertEqual(status.st_size, GIB)
        self.assertLess(status.st_blocks * 512, 64 * MIB)
        self.ok("compare", "d.vhdx", "d.raw", "--strict")
        self.ok("read", "d.vhdx", "-o", "part.bin", "--offset", 512 * MIB - 1, "--length", 6)
        self.assertEqual(self.read_file("part.bin"), b"\0here\0")

    def test_output_files_are_not_replaced_without_force(self):
        self.ok("create", "d.vhdx", "--size", "1M")
        self.write_file("out.raw", b"old")
        self.refused(2, "read", "d.vhdx", "--output", "out.raw")
        self.assertEqual(self.read_file("out.raw"), b"old")
        self.refused(2, "read", "d.vhdx", "--output", "d.vhdx", "--force")
        self.ok("read", "d.vhdx", "--output", "out.raw", "--force")
        self.assertEqual(self.read_file("out.raw"), bytes(MIB))


class Map(ToolCase):
    def test_json_covers_the_disk_without_gaps_and_merges_neighbours(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                self.ok("write", file, "--offset", "5M", "--length", "1M", "--pattern", "1")
                runs = self.json_of("map", file)
                self.assertEqual(sum(run["length"] for run in runs), SIZE)
                end = 0
                for run in runs:
                    self.assertEqual(set(run) - {"offset"}, MAP_FIELDS)
                    self.assertEqual("offset" in run, run["data"])
                    self.assertEqual(run["start"], end)
                    end += run["length"]
                    self.assertFalse(run["data"] and run["zero"])
                for run, following in zip(runs, runs[1:]):
                    mergeable = (run["present"], run["zero"], run["data"], run["depth"]) == (
                        following["present"], following["zero"], following["data"],
                        following["depth"])
                    contiguous = not run["data"] or (
                        run["offset"] + run["length"] == following.get("offset"))
                    self.assertFalse(mergeable and contiguous, (run, following))

    def test_data_is_where_the_map_says(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                piece = b"needle" + bytes(506)
                self.ok("write", file, "--offset", "5M", data=piece)
                runs = self.json_of("map", file, "--start", 5 * MIB, "--length", 512)
                self.assertEqual(len(runs), 1)
                self.assertTrue(runs[0]["data"])
                with open(os.path.join(self.folder, runs[0]["path"]), "rb") as holder:
                    holder.seek(runs[0]["offset"])
                    self.assertEqual(holder.read(512), piece)

    def test_depth_tells_the_layer_and_layer_shows_one_file(self):
        self.ok("create", "base.vhdx", "--size", "8M", "--block-size", "1M")
        self.ok("write", "base.vhdx", "--length", "1M", "--pattern", "1")
        self.ok("snapshot", "base.vhdx", "child.vhdx", "--block-size", "1M")
        self.ok("write", "child.vhdx", "--offset", "1M", "--length", "1M", "--pattern", "2")
        runs = self.json_of("map", "child.vhdx")
        self.assertEqual([(run["start"], run["depth"], run["data"]) for run in runs],
                         [(0, 1, True), (MIB, 0, True), (2 * MIB, 1, False)])
        self.assertEqual([os.path.basename(run["path"]) for run in runs[:2]],
                         ["base.vhdx", "child.vhdx"])
        runs = self.json_of("map", "child.vhdx", "--layer")
        self.assertEqual([(run["start"], run["present"], run["zero"]) for run in runs],
                         [(0, False, False), (MIB, True, False), (2 * MIB, False, False)])

    def test_table(self):
        self.ok("create", "d.vhdx", "--size", "8M", "--block-size", "1M")
        self.ok("write", "d.vhdx", "--offset", "1M", "--length", "1M", "--pattern", "1")
        lines = self.ok("map", "d.vhdx").decode().splitlines()
        self.assertEqual(lines[0].split(), ["start", "length", "state", "depth", "offset", "path"])
        self.assertEqual([line.split()[2] for line in lines[1:]], ["absent", "data", "absent"])
        self.assertEqual(lines[2].split()[:2], ["0x100000", "0x100000"])


class Convert(ToolCase):
    def test_every_subtype_into_every_format(self):
        generator = seeded()
        data = filler(generator, 4 * MIB) + bytes(4 * MIB) + filler(generator, 4 * MIB)
        for subtype in SUBTYPES:
            source = self.make(subtype, SIZE, subtype.replace(" ", "-"))
            self.ok("write", source, data=data)
            for target in ("raw", "vhd fixed", "vhd dynamic", "vhdx fixed", "vhdx dynamic"):
                with self.subTest(f"{subtype} to {target}"):
                    extension, options = SUBTYPES[target]
                    self.ok("convert", source, "out" + extension, "--force", "--verify", *options)
                    self.assertEqual(self.guest("out" + extension), data)
                    self.ok("check", "out" + extension)

    def test_result_is_sparse(self):
        with open(self.path("big.raw"), "wb") as file:
            file.truncate(4 * GIB)
            file.seek(GIB)
            file.write(b"data")
        self.ok("convert", "big.raw", "big.vhdx")
        self.assertLess(os.path.getsize(self.path("big.vhdx")), 128 * MIB)
        self.ok("convert", "big.vhdx", "back.raw")
        self.assertLess(os.stat(self.path("back.raw")).st_blocks * 512, 64 * MIB)
        self.ok("compare", "big.raw", "back.raw", "--strict")

    @unittest.skipUnless(shutil.which("qemu-img"), "needs qemu-img")
    def test_qemu_reads_the_same(self):
        self.write_file("s.raw", filler(seeded(), 6 * MIB) + bytes(2 * MIB))
        for target, form in (("vhd dynamic", "vpc"), ("vhdx dynamic", "vhdx"),
                             ("vhdx fixed", "vhdx")):
            extension, options = SUBTYPES[target]
            self.ok("convert", "s.raw", "q" + extension, "--force", *options)
            out = os.popen(f"cd '{self.folder}' && qemu-img convert -f {form} -O raw "
                           f"q{extension} q.raw 2>&1; echo $?").read()
            self.assertEqual(out.strip(), "0")
            self.assertEqual(self.read_file("q.raw")[:8 * MIB], self.read_file("s.raw"))


class Expand(ToolCase):
    def test_expand_keeps_the_data_on_every_subtype(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                self.ok("write", file, "--length", SIZE, "--pattern", "3")
                line = self.ok("expand", file, "--size", 2 * SIZE)
                self.assertEqual(line.decode(), f"expanded {file}: 12 MiB -> 24 MiB\n")
                self.assertEqual(self.guest(file), b"\3" * SIZE + bytes(SIZE))
                self.ok("check", file)

    def test_json_and_relative_sizes(self):
        self.ok("create", "d.vhdx", "--size", "1G")
        self.assertEqual(self.json_of("expand", "d.vhdx", "--size", "+1G"),
                         {"path": "d.vhdx", "old_size": GIB, "new_size": 2 * GIB,
                          "reclaimed_bytes": 0, "gpt": None})
        self.ok("resize", "d.vhdx", "--size", "3G")
        self.assertEqual(self.json_of("info", "d.vhdx")["virtual_size"], 3 * GIB)

    def test_expand_does_not_shrink(self):
        self.ok("create", "d.vhdx", "--size", "1G")
        before = self.contents()
        self.refused(2, "expand", "d.vhdx", "--size", "1M")
        self.refused(3, "expand", "d.vhdx", "--size=-1M")
        self.refused(3, "expand", "d.vhdx")
        self.assertEqual(self.contents(), before)


class SnapshotAndMerge(ToolCase):
    def chain(self, extension, length):
        names = [f"layer{index}{extension}" for index in range(length)]
        self.ok("create", names[0], "--size", SIZE)
        for index, name in enumerate(names):
            if index > 0:
                self.ok("snapshot", names[index - 1], name)
            self.ok("write", name, "--offset", index * MIB, "--length", 2 * MIB,
                    "--pattern", index + 1)
        return names

    def test_snapshot_says_what_was_made(self):
        self.ok("create", "base.vhdx", "--size", "1G")
        self.assertEqual(self.ok("snapshot", "base.vhdx", "child.vhdx"),
                         b"created child.vhdx: vhdx differencing, 1 GiB; child of base.vhdx\n")
        self.ok("snapshot", "base.vhdx", "larger.vhdx", "--size", "2G")
        self.assertEqual(self.json_of("info", "larger.vhdx")["virtual_size"], 2 * GIB)

    def test_merge_into_the_parent_keeps_the_content(self):
        for extension in (".vhd", ".vhdx"):
            with self.subTest(extension):
                base, child = self.chain(extension, 2)
                expected = self.guest(child)
                line = self.ok("merge", child).decode()
                self.assertRegex(line, rf"^merged {re.escape(child)} into \S*{re.escape(base)}: ")
                self.assertEqual(self.guest(base), expected)
                self.assertEqual(self.guest(child), expected)
                self.ok("check", base)

    def test_depth_base_all_and_delete(self):
        for extension in (".vhd", ".vhdx"):
            with self.subTest(extension):
                names = self.chain(extension, 5)
                expected = self.guest(names[4])
                merged = self.json_of("merge", names[4], "--depth", "1", "--delete")
                self.assertEqual([os.path.basename(path) for path in merged["removed_files"]],
                                 [names[4]])
                self.assertEqual(self.guest(names[3]), expected)
                self.ok("merge", names[3], "--base", names[2], "--delete")
                self.assertEqual(self.guest(names[2]), expected)
                self.ok("merge", names[2], "--all", "--delete")
                self.assertEqual(self.guest(names[0]), expected)
                for name in names[1:]:
                    self.assertFalse(os.path.exists(self.path(name)))
                os.remove(self.path(names[0]))

    def test_ways_exclude_each_other(self):
        self.refused(3, "merge", "x.vhdx", "--all", "--depth", "2")
        self.refused(3, "merge", "x.vhdx", "--depth", "0")

    def test_an_image_without_parent_is_refused(self):
        self.ok("create", "d.vhdx", "--size", "1M")
        self.refused(2, "merge", "d.vhdx")


class Answers(ToolCase):
    def test_compare(self):
        self.ok("create", "a.vhdx", "--size", "8M")
        self.ok("create", "b.vhd", "--size", "8M")
        self.assertEqual(self.ok("compare", "a.vhdx", "b.vhd"), b"identical\n")
        self.ok("write", "b.vhd", "--offset", 70000, data=b"x")
        code, out, _ = self.run_tool("compare", "a.vhdx", "b.vhd")
        self.assertEqual((code, out), (1, b"different: first at offset 70000 (0x11170)\n"))
        code, out, _ = self.run_tool("compare", "a.vhdx", "b.vhd", "--json")
        answer = json.loads(out)
        self.assertEqual(code, 1)
        self.assertFalse(answer["identical"])
        self.assertEqual(answer["first_difference"], 70000)
        self.assertEqual(len(answer["ranges"]), 1)
        first = answer["ranges"][0]
        self.assertLessEqual(first["offset"], 70000)
        self.assertGreater(first["offset"] + first["length"], 70000)
        self.assertTrue(self.json_of("compare", "a.vhdx", "a.vhdx")["identical"])

    def test_sizes_differ_only_with_strict(self):
        self.ok("create", "a.vhdx", "--size", "8M")
        self.ok("create", "b.vhdx", "--size", "9M")
        self.assertIn(b"the rest reads as zeros", self.ok("compare", "a.vhdx", "b.vhdx"))
        code, _, _ = self.run_tool("compare", "a.vhdx", "b.vhdx", "--strict")
        self.assertEqual(code, 1)

    def test_hash_depends_on_the_content_alone(self):
        data = filler(seeded(), 5 * MIB)
        digests, sums = set(), set()
        for subtype in SUBTYPES:
            file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
            self.ok("write", file, "--offset", "3M", data=data)
            answer = self.json_of("hash", file)
            self.assertEqual(set(answer), {"algorithm", "digest", "virtual_size", "bytes_hashed"})
            digests.add(answer["digest"])
            sums.add(self.ok("hash", file, "--sha256").split()[0])
        self.assertEqual(len(digests), 1)
        whole = bytes(3 * MIB) + data + bytes(SIZE - 8 * MIB)
        self.assertEqual(sums, {hashlib.sha256(whole).hexdigest().encode()})

    def test_check_of_good_images(self):
        for subtype in SUBTYPES:
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                report = self.json_of("check", file)
                self.assertEqual(set(report), {"path", "clean", "findings", "counts"})
                self.assertTrue(report["clean"])
                self.assertIn("clean", self.ok("check", file).decode())
        report = self.json_of("check", "vhdx-differencing.vhdx", "--chain")
        self.assertEqual(len(report["chain"]), 2)

    def test_check_of_a_damaged_image_says_no(self):
        self.ok("create", "d.vhdx", "--size", "1G")
        with open(self.path("d.vhdx"), "r+b") as file:
            file.seek(64 * KIB + 16)  # a byte of header 1
            file.write(b"\xFF")
        code, out, _ = self.run_tool("check", "d.vhdx", "--json")
        report = json.loads(out)
        self.assertEqual(code, 1)
        self.assertFalse(report["clean"])
        for finding in report["findings"]:
            self.assertEqual(set(finding), {"id", "severity", "offset", "message", "repair"})
            self.assertIn(finding["severity"], ("info", "warning", "error"))
        code, out, _ = self.run_tool("check", "d.vhdx")
        self.assertEqual(code, 1)
        self.assertIn(b"problems found", out)

    def test_dump_shows_fields_with_offsets(self):
        for subtype in SUBTYPES:
            if subtype == "raw":
                continue
            with self.subTest(subtype):
                file = self.make(subtype, SIZE, subtype.replace(" ", "-"))
                structures = self.json_of("dump", file)
                self.assertGreater(len(structures), 0)
                for structure in structures:
                    self.assertEqual(set(structure), {"name", "offset", "size", "fields"})
                    for field in structure["fields"]:
                        self.assertEqual(set(field), {"name", "offset", "size", "value"})
                self.assertIn(b" at 0x", self.ok("dump", file))


if __name__ == "__main__":
    unittest.main()
