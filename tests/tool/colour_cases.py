"""Colours: for terminals only, and not where the user wants none (NO_COLOR)."""
import os
import pty

from driver import TIMEOUT, ToolCase

RED, YELLOW, CYAN, PLAIN = b"\x1b[1;31m", b"\x1b[1;33m", b"\x1b[1;36m", b"\x1b[0m"


class Colours(ToolCase):
    def shown(self, *words, stream="stderr", **variables):
        """What a terminal gets to see that stands at this stream."""
        env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        env.update({"TERM": "xterm", **variables})
        leader, follower = pty.openpty()
        self.addCleanup(os.close, leader)
        process = self.start(*words, env=env, **{stream: follower})
        process.communicate(timeout=TIMEOUT)
        os.set_blocking(leader, False)
        os.write(follower, b"end")  # so that there is something to read
        os.close(follower)
        text = b""
        while not text.endswith(b"end"):
            text += os.read(leader, 65536)
        return text[:-3]

    def damaged(self):
        self.ok("create", "d.vhd", "--size", "8M")
        data = bytearray(self.read_file("d.vhd"))
        data[-512 + 64] ^= 1  # the checksum of the footer at the end
        self.write_file("d.vhd", bytes(data))

    def test_error_and_hint_on_a_terminal(self):
        text = self.shown("info", "missing.vhdx")
        self.assertTrue(text.startswith(RED + b"vdisk-tool:" + PLAIN + b" "), text)
        text = self.shown("info")
        self.assertIn(b"\n" + CYAN + b"hint:" + PLAIN + b" ", text)

    def test_a_warning_on_a_terminal(self):
        self.ok("create", "p.vhdx", "--size", "8M")
        self.ok("snapshot", "p.vhdx", "c.vhdx")
        text = self.shown("write", "p.vhdx", "--pattern", "7", "--length", "1M")
        self.assertTrue(text.startswith(YELLOW + b"vdisk-tool:" + PLAIN + b" warning: "), text)

    def test_severities_of_a_check(self):
        self.damaged()
        text = self.shown("check", "d.vhd", stream="stdout")
        self.assertIn(YELLOW + b"warning" + PLAIN + b" V3: footer ", text)

    def test_none_for_pipes(self):
        self.damaged()
        for words in (["info", "missing.vhdx"], ["info"], ["check", "d.vhd"]):
            _, out, err = self.run_tool(*words, env=dict(os.environ, TERM="xterm"))
            self.assertNotIn(b"\x1b", out + err)

    def test_none_with_no_color_or_on_a_dumb_terminal(self):
        for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            text = self.shown("info", "missing.vhdx", **variables)
            self.assertTrue(text.startswith(b"vdisk-tool: "), text)
        text = self.shown("info", "missing.vhdx", NO_COLOR="")  # as if it were not set
        self.assertTrue(text.startswith(RED), text)
