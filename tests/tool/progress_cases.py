"""Progress lines, and what signals do: K-10."""
import json
import os
import pty
import signal
import subprocess
import time
import unittest

from driver import MIB, ToolCase

FIELDS = {"operation", "operation_status", "current_value", "completion_value", "percent"}


def lines_of(text):
    return [json.loads(line) for line in text.decode().splitlines()]


class Progress(ToolCase):
    def check_lines(self, lines, operation):
        for line in lines:
            self.assertEqual(set(line), FIELDS)
            self.assertEqual(line["operation"], operation)
            self.assertGreater(line["completion_value"], 0)
            self.assertLessEqual(line["current_value"], line["completion_value"])
        for line in lines[:-1]:
            self.assertEqual(line["operation_status"], "pending")
            self.assertLess(line["percent"], 100)

    def test_json_lines_end_with_the_final_one(self):
        self.write_file("s.raw", os.urandom(8 * MIB))
        for words in (("convert", "s.raw", "d.vhdx"), ("expand", "d.vhdx", "--size", "16M"),
                      ("hash", "d.vhdx"), ("compare", "d.vhdx", "d.vhdx"), ("check", "d.vhdx"),
                      ("write", "d.vhdx", "--length", "1M", "--pattern", "1"),
                      ("zero", "d.vhdx", "--length", "1M"), ("read", "d.vhdx", "-o", "r.raw"),
                      ("create", "e.vhdx", "--source", "s.raw"), ("compact", "d.vhdx"),
                      ("compact", "e.vhdx", "--copy")):
            with self.subTest(words):
                code, out, err = self.run_tool(*words, "--progress=json")
                self.assertEqual(code, 0, err)
                lines = lines_of(err)
                self.check_lines(lines, words[0])
                self.assertEqual(lines[-1]["operation_status"], "success")
                self.assertEqual(lines[-1]["percent"], 100)

    def test_merge_tells_its_progress(self):
        self.ok("create", "b.vhdx", "--size", "64M")
        self.ok("snapshot", "b.vhdx", "c.vhdx")
        self.ok("write", "c.vhdx", "--length", "64M", "--pattern", "1")
        _, _, err = self.run_tool("merge", "c.vhdx", "--progress=json")
        lines = lines_of(err)
        self.check_lines(lines, "merge")
        self.assertEqual(lines[-1]["percent"], 100)

    def test_a_failure_is_the_last_line_and_then_the_error(self):
        self.ok("create", "d.vhd", "--size", "1M")
        code, _, err = self.run_tool("write", "d.vhd", "--progress=json", "--length", 100,
                                     data=b"12")
        self.assertEqual(code, 2)
        code, _, err = self.run_tool("hash", "missing.vhdx", "--progress=json")
        self.assertEqual(code, 2)
        lines = err.decode().splitlines()
        text = [line for line in lines if line.startswith("vdisk-tool: ")]
        self.assertEqual(len(text), 1)
        last = json.loads(lines[lines.index(text[0]) - 1])
        self.assertEqual(last["operation_status"], "file_not_found")

    def test_no_progress_where_there_is_no_terminal_or_with_quiet(self):
        self.write_file("s.raw", os.urandom(8 * MIB))
        self.assertEqual(self.run_tool("convert", "s.raw", "a.vhdx")[2], b"")
        self.assertEqual(self.run_tool("convert", "s.raw", "b.vhdx", "--progress=none")[2], b"")
        _, out, err = self.run_tool("convert", "s.raw", "c.vhdx", "--quiet", "--progress=json")
        self.assertEqual((out, err), (b"", b""))

    def test_at_most_ten_lines_a_second(self):
        self.ok("create", "d.vhdx", "--size", "1G")
        start = time.monotonic()
        _, _, err = self.run_tool("write", "d.vhdx", "--length", "192M", "--pattern", "1",
                                  "--progress=json")
        seconds = time.monotonic() - start
        self.assertLessEqual(len(lines_of(err)), 10 * seconds + 2)

    def test_the_bar_on_a_terminal_never_goes_back_and_is_removed(self):
        self.ok("create", "d.vhdx", "--size", "2G")
        leader, follower = pty.openpty()
        process = self.start("write", "d.vhdx", "--length", "512M", "--pattern", "1",
                             stderr=follower, env=dict(os.environ, TERM="xterm"))
        os.close(follower)
        shown = b""
        while True:
            try:
                piece = os.read(leader, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(leader)
        process.communicate()
        self.assertEqual(process.returncode, 0)
        if not shown:
            return  # it was over before a bar was worth drawing
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown[-40:])
        percents = [int(part.split(b"%")[0].split()[-1]) for part in shown.split(b"\r")
                    if b"%" in part]
        self.assertEqual(percents, sorted(percents))


class Signals(ToolCase):
    def interrupt(self, numbers, *words):
        """Sends the signals once the operation has begun; exit code and the lines after it."""
        process = self.start(*words, "--progress=json")
        first = process.stderr.readline()
        self.assertIn(b"pending", first)
        for number in numbers:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
        return process.returncode, err.decode()

    def until_interrupted(self, numbers, make_words):
        """A fast machine may be done before the signal arrives: then more work is given."""
        for size in (128, 512, 2048):
            code, err = self.interrupt(numbers, *make_words(size))
            if code != 0:
                return code, err
        self.fail("the operation always ended before the signal")

    def big_source(self, size):
        with open(self.path("big.raw"), "wb") as file:
            block = os.urandom(MIB)
            for _ in range(size):
                file.write(block)
        return "big.raw"

    def test_k10_signals_cancel_and_leave_nothing_behind(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                code, err = self.until_interrupted([number], lambda size: (
                    "convert", self.big_source(size), "out.vhdx", "--force"))
                self.assertEqual(code, 128 + number, err)
                self.assertIn("vdisk-tool: ", err)
                self.assertEqual(json.loads(err.splitlines()[0] if "{" in err.splitlines()[0]
                                            else "{}").get("operation"), "convert")
                left = set(os.listdir(self.folder)) - {"big.raw"}
                self.assertLessEqual(left, {"out.vhdx"})  # only a whole one of an earlier round
                if left:
                    self.ok("compare", "big.raw", "out.vhdx")
                    os.remove(self.path("out.vhdx"))

    def test_k10_a_signal_that_comes_twice_at_once_cancels(self):
        """timeout(1) signals the program, and then its process group."""
        code, _ = self.until_interrupted([signal.SIGINT, signal.SIGTERM], lambda size: (
            "convert", self.big_source(size), "out.vhdx", "--force"))
        self.assertIn(code, (130, 143))
        self.assertLessEqual(set(os.listdir(self.folder)), {"big.raw", "out.vhdx"})

    def test_k10_an_existing_output_stays_when_canceled(self):
        self.ok("create", "out.vhdx", "--size", "1M")
        before = self.read_file("out.vhdx")

        def words(size):
            self.write_file("out.vhdx", before)
            return ("convert", self.big_source(size), "out.vhdx", "--force")
        code, _ = self.until_interrupted([signal.SIGINT], words)
        self.assertEqual(code, 130)
        self.assertEqual(self.read_file("out.vhdx"), before)

    def test_k10_a_canceled_create_leaves_nothing(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            code, err = self.until_interrupted([number], lambda size: (
                "create", "out.vhd", "--source", self.big_source(size), "--force"))
            self.assertEqual(code, 128 + number, err)
            left = set(os.listdir(self.folder)) - {"big.raw"}
            self.assertLessEqual(left, {"out.vhd"})
            if left:  # a whole one of a round that was too fast
                self.ok("compare", "big.raw", "out.vhd")
                os.remove(self.path("out.vhd"))

    def test_k10_a_canceled_read_leaves_no_output(self):
        code, err = self.until_interrupted([signal.SIGINT], lambda size: (
            "read", self.big_source(size), "--output", "out.bin", "--force"))
        self.assertEqual(code, 130, err)
        left = set(os.listdir(self.folder)) - {"big.raw"}
        self.assertLessEqual(left, {"out.bin"})
        if left:
            self.assertEqual(os.path.getsize(self.path("out.bin")),
                             os.path.getsize(self.path("big.raw")))

    def test_k10_a_canceled_merge_keeps_the_child_and_a_rerun_finishes(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number):
                self.cancel_a_merge(number)

    def cancel_a_merge(self, number):
        def words(size):
            for name in ("base.vhdx", "child.vhdx"):
                if os.path.exists(self.path(name)):
                    os.remove(self.path(name))
            self.ok("create", "base.vhdx", "--size", "3G")
            self.ok("snapshot", "base.vhdx", "child.vhdx")
            self.ok("write", "child.vhdx", "--length", f"{size}M", "--pattern", "0x42")
            self.size = size
            return ("merge", "child.vhdx")
        code, err = self.until_interrupted([number], words)
        self.assertEqual(code, 128 + number, err)
        self.assertIn("hint: ", err)
        self.assertIn("again", err)
        length = self.size * MIB
        _, report, _ = self.run_tool("check", "child.vhdx", "--chain", "--json")
        for layer in json.loads(report)["chain"]:
            self.assertEqual(layer["counts"]["error"], 0, layer)
        tail = self.ok("read", "child.vhdx", "--offset", length - 10, "--length", 20)
        self.assertEqual(tail, b"B" * 10 + bytes(10))
        digest = self.ok("hash", "child.vhdx").split()[0]
        self.ok("merge", "child.vhdx", "--delete")
        self.assertEqual(self.ok("hash", "base.vhdx").split()[0], digest)

    def test_a_write_that_waits_for_input_is_canceled(self):
        """Also where a shell started it in the background, with the interrupt ignored."""
        for disposition in (signal.SIG_DFL, signal.SIG_IGN):
            with self.subTest(disposition):
                self.cancel_a_waiting_write(disposition)

    def cancel_a_waiting_write(self, disposition):
        self.ok("create", "disk.vhd", "--size", "8M", "--force")
        process = self.start("write", "disk.vhd", "--progress=json", stdin=subprocess.PIPE,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, disposition))
        self.assertIn(b"pending", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        err = process.stderr.read().decode()
        process.stdin.close()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("0 bytes were written", err)
        self.ok("check", "disk.vhd")


if __name__ == "__main__":
    unittest.main()
