"""Help, version and wrong command lines: what a first-time user sees."""
import os
import re
import time
import unittest

from driver import ToolCase

VERBS = ["create", "snapshot", "convert", "mirror", "salvage", "info", "map", "check", "dump",
         "compare", "hash", "diff", "changes", "read", "write", "zero", "discard", "expand",
         "shrink", "resize", "compact", "merge", "metadata", "tree", "rebase", "relink"]


class Help(ToolCase):
    def test_overview_lists_every_verb_once_and_nothing_else(self):
        text = self.ok("--help").decode()
        listed = re.findall(r"^  (\w+) {2,}\w", text, re.M)
        self.assertEqual(listed, VERBS)
        self.assertEqual(self.ok("help").decode(), text)
        self.assertLessEqual(len(text.splitlines()), 50)

    def test_every_verb_has_help_with_an_example_of_itself(self):
        for verb in VERBS:
            with self.subTest(verb):
                text = self.ok(verb, "--help").decode()
                self.assertEqual(self.ok("help", verb).decode(), text)
                self.assertEqual(self.ok(verb, "-h").decode(), text)
                self.assertIn(f"Usage: vdisk-tool {verb} [OPTIONS]", text)
                examples = text[text.index("\nExamples:\n"):]
                self.assertIn(f"vdisk-tool {verb} ", examples)
                for line in text.splitlines():
                    self.assertLessEqual(len(line), 100)

    def test_examples_are_understood(self):
        """No example of the help is a wrong use of the tool; its files are missing: exit 2."""
        for verb in VERBS:
            text = self.ok(verb, "--help").decode()
            examples = text[text.index("\nExamples:\n"):]
            for line in re.findall(r"^  vdisk-tool (.*)$", examples, re.M):
                words = re.split(" [|>] ", line)[0].split()
                for name in os.listdir(self.folder):
                    os.remove(self.path(name))
                with self.subTest(line):
                    code, _, err = self.run_tool(*words)
                    self.assertIn(code, (0, 2), err)

    def test_merge_says_how_much_it_merges(self):
        text = " ".join(self.ok("merge", "--help").decode().split())
        self.assertIn("default: 1, into the parent; with --output all of them", text)
        self.assertIn("With --output but neither --depth nor --base these are the whole chain, "
                      "its first image included", text)

    def test_version(self):
        self.assertRegex(self.ok("--version"),
                         rb"^vdisk-tool \d+\.\d+\.\d+\nformats: .*vhdx.*\nbuilt by .+\n$")

    def test_starts_fast(self):
        best = min(self.seconds_of("--version") for _ in range(5))
        self.assertLess(best, 0.1)

    def seconds_of(self, *words):
        start = time.monotonic()
        self.ok(*words)
        return time.monotonic() - start


class Usage(ToolCase):
    GOLDEN = (
        ((), "a verb is missing", "vdisk-tool --help lists the verbs"),
        (("creat",), 'unknown verb "creat"; did you mean create?',
         "vdisk-tool --help lists the verbs"),
        (("frobnicate",), 'unknown verb "frobnicate"', "vdisk-tool --help lists the verbs"),
        (("--json", "info", "x"), '"--json" comes before the verb; options follow it',
         "vdisk-tool --help lists the verbs"),
        (("info",), "PATH is missing", "vdisk-tool info --help shows the options"),
        (("info", "a", "b"), 'unexpected argument "b"',
         "vdisk-tool info --help shows the options"),
        (("info", "a", "--jsn"), 'unknown option "--jsn"; did you mean --json?',
         "vdisk-tool info --help shows the options"),
        (("compare", "a"), "B is missing", "vdisk-tool compare --help shows the options"),
        (("create", "x.vhdx"), "--size is missing: how large shall the disk be?",
         "vdisk-tool create --help shows the options"),
        (("create", "x.vhdx", "--size"), "--size: a value is missing",
         "vdisk-tool create --help shows the options"),
        (("create", "x.vhdx", "--size", "1G", "--type", "thick"),
         '--type: "thick" is not known, expected dynamic, fixed, differencing',
         "vdisk-tool create --help shows the options"),
        (("zero", "x.vhdx"), "--length is missing", "vdisk-tool zero --help shows the options"),
        (("check", "x.vhdx", "--mend"), 'unknown option "--mend"',
         "vdisk-tool check --help shows the options"),
        (("check", "x.vhdx", "--yes"), "--yes: expected --repair or --take-back",
         "vdisk-tool check --help shows the options"),
        (("check", "x.vhdx", "--repair", "--undo", "u"), "--undo: expected --repair --yes",
         "vdisk-tool check --help shows the options"),
        (("check", "x.vhdx", "--repair", "--chain"),
         "--chain: a repair changes this image alone",
         "vdisk-tool check --help shows the options"),
    )

    def test_wrong_command_lines(self):
        for words, message, hint in self.GOLDEN:
            with self.subTest(words):
                code, out, err = self.run_tool(*words)
                self.assertEqual((code, out), (3, b""))
                self.assertEqual(err.decode(), f"vdisk-tool: {message}\nhint: {hint}\n")
        self.assertEqual(self.contents(), {})

    def test_failures_name_the_file_and_say_what_to_do(self):
        self.ok("create", "d.vhdx", "--size", "8M")
        self.write_file("text.txt", b"no image at all\n" * 100)
        for words, word, hint in (
                (("info", "missing.vhdx"), "missing.vhdx: ", None),
                (("info", "text.txt"), "text.txt: ",
                 "if it is a raw disk, say so with --format raw"),
                (("create", "d.vhdx", "--size", "1M"), "d.vhdx: exists already",
                 "--force replaces it")):
            with self.subTest(words):
                code, _, err = self.run_tool(*words)
                lines = err.decode().splitlines()
                self.assertEqual(code, 2)
                self.assertTrue(lines[0].startswith("vdisk-tool: " + word), lines)
                self.assertEqual(lines[1:], [f"hint: {hint}"] if hint else [])


if __name__ == "__main__":
    unittest.main()
