#!/usr/bin/env python3
"""Manual pages and completions that tools/manual wrote: complete, well-formed, and alive.

    manual_test.py TOOL FOLDER
"""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TOOL, FOLDER = sys.argv.pop(1), sys.argv.pop(1)


def text_of(*names):
    with open(os.path.join(FOLDER, *names)) as file:
        return file.read()


def help_of(*words):
    return subprocess.run([TOOL, "help", *words], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


VERBS = re.findall(r"^  (\w+) +\w", help_of().partition("\nExamples:")[0], re.M)


class Pages(unittest.TestCase):
    def test_every_verb_has_a_page_with_every_option_and_an_example(self):
        self.assertGreater(len(VERBS), 10)
        for verb in VERBS:
            page = text_of("man1", f"vdisk-tool-{verb}.1").replace("\\-", "-")
            bold = set(re.findall(r"\\fB(--[a-z0-9-]+)\\fR", page))
            listed = set(re.findall(r"^ +(?:-\w,)?(--[a-z0-9-]+)", help_of(verb), re.M))
            self.assertEqual(bold, listed, verb)
            self.assertIn(".SH EXAMPLES", page)

    def test_pages_are_well_formed(self):
        for section in ("man1", "man3"):
            for name in sorted(os.listdir(os.path.join(FOLDER, section))):
                done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z",
                                       os.path.join(FOLDER, section, name)],
                                      stderr=subprocess.PIPE, text=True)
                warnings = [line for line in done.stderr.splitlines() if "can't break" not in line]
                self.assertEqual(warnings, [], name)

    def test_the_library_page_has_every_function(self):
        page = text_of("man3", "libvdisk.3")
        for name in ("vdisk_disk_open", "vdisk_merge", "vdisk_job_wait", "vdisk_status_name"):
            self.assertIn(name, page)


class Completions(unittest.TestCase):
    def complete(self, *words, cwd=None):
        """What bash offers for the last word."""
        quoted = " ".join(f"'{word}'" for word in words)
        completion = os.path.abspath(f"{FOLDER}/completions/bash/vdisk-tool")
        script = (f". {completion}; COMP_WORDS=({quoted}); "
                  f"COMP_CWORD={len(words) - 1}; _vdisk_tool; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        return subprocess.run(["bash", "-c", script], check=True, text=True, cwd=cwd,
                              stdout=subprocess.PIPE).stdout.splitlines()

    def test_bash(self):
        self.assertEqual(set(self.complete("vdisk-tool", "")), set(VERBS) | {"help", "--help",
                                                                           "--version"})
        self.assertEqual(self.complete("vdisk-tool", "cre"), ["create"])
        self.assertIn("--block-size", self.complete("vdisk-tool", "create", "--b"))
        self.assertEqual(set(self.complete("vdisk-tool", "create", "--type", "")),
                         {"dynamic", "fixed", "differencing"})
        self.assertIn("64G", self.complete("vdisk-tool", "create", "--size", ""))
        self.assertEqual(self.complete("vdisk-tool", "help", "mer"), ["merge"])
        self.assertEqual(self.complete("vdisk-tool", "create", "--size", "6"),
                         ["6K", "6M", "6G", "6T"])
        self.assertEqual(self.complete("vdisk-tool", "create", "--size", "=", "10"),
                         ["10K", "10M", "10G", "10T"])
        self.assertEqual(self.complete("vdisk-tool", "create", "--type", "="),
                         ["dynamic", "fixed", "differencing"])
        self.assertEqual(self.complete("vdisk-tool", "info", "--format", "vhd"), ["vhd", "vhdx"])
        self.assertEqual(self.complete("vdisk-tool", "create", "--logical-sector", ""),
                         ["512", "4096"])

    def test_bash_offers_whole_names_of_files(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "my images"))
            for name in ("my disk.vhdx", "*.raw"):
                with open(os.path.join(folder, name), "w", encoding="utf-8"):
                    pass
            self.assertEqual(set(self.complete("vdisk-tool", "info", "my", cwd=folder)),
                             {"my disk.vhdx", "my images"})
            self.assertEqual(self.complete("vdisk-tool", "info", "--parent-root", "m",
                                           cwd=folder), ["my images"])

    def complete_in_zsh(self, typed, cwd):
        """What zsh offers in a terminal when Tab is pressed behind these words."""
        told = os.path.join(cwd, ".told")
        folder = os.path.abspath(f"{FOLDER}/completions/zsh")
        lines = [f"PS1=; LISTMAX=10000; fpath=({folder} $fpath)",
                 "autoload -Uz compinit; compinit -u -D",
                 'compadd() { local -a hits; builtin compadd -O hits "$@"; '
                 'print -rl -- $hits >>|.told; builtin compadd "$@" }',
                 "tell() { zle complete-word; print -r -- END >>|.told }",
                 "zle -N tell; bindkey '^I' tell"]
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(cwd)
            os.execvp("zsh", ["zsh", "-f", "-i"])
        try:
            os.write(terminal, ("\n".join(lines) + f"\n{typed}\t").encode())
            offered, end = [], time.monotonic() + 60
            while "END" not in offered and time.monotonic() < end:
                if select.select([terminal], [], [], 0.05)[0]:
                    os.read(terminal, 65536)
                if os.path.exists(told):
                    with open(told, encoding="utf-8") as file:
                        offered = file.read().splitlines()
            self.assertIn("END", offered, "zsh did not answer")
            return {word.replace("\\", "") for word in offered if word not in ("END", "")}
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(terminal)
            if os.path.exists(told):
                os.remove(told)

    def test_zsh(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "images"))
            with open(os.path.join(folder, "my disk.vhdx"), "w", encoding="utf-8"):
                pass
            for typed, expected in (("", set(VERBS) | {"help"}),
                                    ("cre", {"create"}),
                                    ("--v", {"--version"}),
                                    ("help mer", {"merge"}),
                                    ("create --bl", {"--block-size"}),
                                    ("create --type f", {"fixed"}),
                                    ("create --logical-sector ", {"512", "4096"}),
                                    ("create --size 6", {"6K", "6M", "6G", "6T"}),
                                    ("create --size=6", {"6K", "6M", "6G", "6T"}),
                                    ("info --format vhd", {"vhd", "vhdx"}),
                                    ("info my", {"my disk.vhdx"}),
                                    ("info --parent-root im", {"images"})):
                with self.subTest(typed):
                    self.assertEqual(self.complete_in_zsh(f"vdisk-tool {typed}", folder), expected)

    def test_zsh_is_well_formed(self):
        done = subprocess.run(["zsh", "-n", f"{FOLDER}/completions/zsh/_vdisk-tool"],
                              stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
