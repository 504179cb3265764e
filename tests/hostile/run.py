#!/usr/bin/env python3
"""The catalogue of hostile files: every case is built, given to the library and to the tool, and
held against what is promised.

    run.py [ID...]        all cases, or some; ends with a table of figures
    run.py --keep FOLDER  leaves the files there

Needs VDISK_TOOL, VDISK_PROBE and VDISK_PEAK_MEMORY (paths of programs). With VDISK_SANITIZED=1
memory and time are not judged.
"""

import json
import os
import re
import shutil
import statistics
import struct
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "interop"))

import catalogue  # noqa: E402
import measure  # noqa: E402
import vhd_cases  # noqa: E402,F401
import vhd_chain_cases  # noqa: E402,F401
import vhdx_cases  # noqa: E402,F401
import vhdx_chain_cases  # noqa: E402,F401
import vhdx_log_cases  # noqa: E402,F401

MIB = 1 << 20
SECTOR = 512
MOST_MEMORY = 64 * MIB
MOST_SECONDS = 2.0
MOST_MEDIAN = 0.1
# The largest disk with the smallest blocks has bounds of its own.
LARGEST = {"VHDX-53a": 32 * MIB}
PATTERN = 0xA5
# Without any signature only the caller's word makes a file an image (docs/decisions/0011).
STATED_FORMATS = {"VHD-08": ("vhd",), "VHDX-01": ("vhdx",)}
# Kinds beyond the promise, with the reasons in docs/decisions/0011.
DEVIATIONS = {"VHD-19": {"invalid_argument"}}
PLACED = {"corrupt", "truncated", "unsupported", "limit"}  # these errors say where

TOOL = os.environ.get("VDISK_TOOL", "vdisk-tool")
PROBE = os.environ.get("VDISK_PROBE", "hostile_probe")
LAUNCHER = os.environ.get("VDISK_PEAK_MEMORY", "peak_memory")
SANITIZED = os.environ.get("VDISK_SANITIZED") == "1"


class Broken(Exception):
    """A promise that was not kept."""


class TooSlow(Broken):
    """Kept all promises but that of time."""


def require(promise, text):
    if not promise:
        raise Broken(text)


def read_sectors(path):
    data = path.read_bytes() if path.exists() else b""
    record = 8 + SECTOR
    return {struct.unpack_from("<Q", data, at)[0]: data[at + 8:at + record]
            for at in range(0, len(data), record)}


def without_zeros(content):
    return {number: data for number, data in content.items() if any(data)}


def worst(findings):
    order = ("none", "info", "warning", "error")
    return max((finding["severity"] for finding in findings), key=order.index, default="none")


class Examination:
    """One case: builds it, runs everything, remembers what it cost."""

    def __init__(self, case, root):
        self.case = case
        self.root = root
        self.runs = []
        self.outcome_found = None
        self.stated_format = STATED_FORMATS.get(case.id, ())

    def build(self, name):
        folder = self.root / name
        folder.mkdir(parents=True)
        return folder, catalogue.BUILDERS[self.case.id](folder)

    def run(self, *command):
        done = measure.run(LAUNCHER, *command)
        self.runs.append(done)
        require(done.code < 126, f"{command[0]}: ended by signal {done.code - 128}: {done.err}")
        return done

    def tool(self, *words):
        if self.stated_format:
            words += ("--format", *self.stated_format)
        done = self.run(TOOL, *words)
        require(done.code in (0, 1, 2), f"{words}: exit {done.code}: {done.err}")
        if done.code == 2:
            lines = done.err
            require(lines and lines[0].startswith("vdisk-tool: "), f"{words}: said {lines}")
            require(len(lines) == 1 or len(lines) == 2 and lines[1].startswith("hint: "),
                    f"{words}: more than one line: {lines}")
        return done

    def probe(self, image):
        return self.probe_file(image.path, *self.stated_format)

    def probe_file(self, path, *stated_format):
        out = self.root / "sectors"
        out.unlink(missing_ok=True)
        done = self.run(PROBE, path, out, *stated_format)
        require(done.code == 0, f"probe: exit {done.code}: {done.err}")
        return json.loads(done.out), read_sectors(out)

    # What came of it.

    def outcome(self, image, said, content):
        """The name of the outcome and the step that decided it."""
        for step in ("open", "read"):
            if not said[step]["ok"]:
                self.judge_message(said[step])
                return said[step]["kind"], step
        found = said["check"].get("findings", [])
        if worst(found) == "error" and self.case.when == "check":
            return "corrupt", "check"
        require(content == without_zeros(image.content),
                f"content: sectors {sorted(content)} differ from {sorted(image.content)}")
        require(said["read"]["size"] == image.size,
                f"size: {said['read']['size']}, expected {image.size}")
        return self.served(worst(found)), "check"

    def served(self, severity):
        """Exact content: `opens` unless the check has something to report. What may simply open
        may also get a warning."""
        if severity in ("none", "info"):
            return "opens"
        harmless = severity == "warning" and "opens" in self.case.allowed
        return "opens" if harmless else "repairable"

    def judge_message(self, error):
        message = error["message"]
        require("\n" not in message, f"message of two lines: {message!r}")
        if error["kind"] not in PLACED or error["code"] == "chain_too_deep":
            return
        require(re.search(r"at 0x[0-9a-f]+", message) and "offset" in error,
                f"no place in: {message}")
        require("expected" in message, f"nothing expected in: {message}")

    def judge_outcome(self, outcome, step):
        allowed = self.case.allowed | DEVIATIONS.get(self.case.id, set())
        require(outcome in allowed, f"{outcome} at {step}, promised {self.case.promise}")
        if outcome in ("opens", "repairable"):
            return
        latest = {"open": ("open",), "read": ("open", "read"), "chain": ("open", "read"),
                  "check": ("open", "read", "check"), "-": ("open", "read", "check")}
        require(step in latest[self.case.when], f"refused at {step}, promised {self.case.when}")

    # The tool says the same.

    def judge_tool(self, image, said):
        path = image.path
        done = self.tool("info", path, "--json")
        require((done.code == 0) == said["open"]["ok"], f"info: exit {done.code}: {done.err}")
        if done.code == 0:
            json.loads(done.out)
        done = self.tool("hash", path)
        require((done.code == 0) == said["read"]["ok"], f"hash: exit {done.code}: {done.err}")
        done = self.tool("check", path, "--chain", "--json")
        if said["check"]["ok"]:
            clean = worst(said["check"]["findings"]) in ("none", "info")
            require(done.code == (0 if clean else 1), f"check: exit {done.code}: {done.err}")
            require(json.loads(done.out)["clean"] == clean, "check: `clean` differs")
        self.tool("info", path, "--chain")
        self.tool("dump", path, "--json")

    def judge_write(self, said):
        """A refused write changes nothing; another one changes what it should."""
        folder, image = self.build("write")
        before = measure.snapshot(folder)
        done = self.tool("write", image.path, "--length", SECTOR, "--pattern", PATTERN)
        if done.code != 0:
            self.judge_refused_write(said, image, measure.snapshot(folder) == before)
            return
        require(said["open"]["ok"], "written although it does not open for reading")
        if not said["read"]["ok"]:
            return
        after, content = self.probe(image)
        expected = {**image.content, 0: bytes([PATTERN]) * SECTOR}
        require(content == without_zeros(expected), "content after a write differs")
        known = {finding["id"] for finding in said["check"]["findings"]}
        new = [finding for finding in after["check"]["findings"]
               if finding["severity"] != "info" and finding["id"] not in known]
        require(not new, f"findings after a write: {new}")

    def judge_refused_write(self, said, image, unchanged):
        """Only a log may have been replayed, which changes nothing that a reader sees."""
        if unchanged:
            return
        require(said["open"].get("dirty"), "a refused write changed files")
        again, _ = self.probe(image)
        require(not again["open"].get("dirty"), "a refused write left a dirty log")
        for word in ("ok", "code", "offset", "size"):
            require(again["read"].get(word) == said["read"].get(word),
                    f"a refused write changed what is read: {again['read']}")

    # Repair and salvage.

    def judge_repair(self, said, content, outcome):
        """A repair loses nothing that can be read, keeps its promise, and is not needed twice."""
        folder, image = self.build("repair")
        before = measure.snapshot(folder)
        self.tool("check", image.path, "--repair", "--json")
        require(measure.snapshot(folder) == before, "a dry run of a repair changed files")
        done = self.tool("check", image.path, "--repair", "--yes")
        if done.code == 2:
            require(measure.snapshot(folder) == before, "a refused repair changed files")
            require(not said["open"]["ok"], f"repair: {done.err}")
            return
        once = measure.snapshot(folder)
        after, repaired = self.probe(image)
        if said["read"]["ok"]:
            require(after["read"]["ok"], f"a repair lost the image: {after}")
            require(repaired == content, "content differs after a repair")
        if outcome == "repairable" and "repairable" in self.case.allowed:
            require(done.code == 0, f"promised repairable, left by the repair: {done.out}")
        self.tool("check", image.path, "--repair", "--yes")
        require(measure.snapshot(folder) == once, "a second repair changed something")

    def judge_salvage(self, said, content):
        """What can be read is salvaged, and the damaged image stays as it is."""
        folder, image = self.build("salvage")
        before = measure.snapshot(folder)
        target = self.root / "salvaged.vhdx"
        words = ("--source-format", *self.stated_format) if self.stated_format else ()
        done = self.run(TOOL, "salvage", image.path, target, "--json", *words)
        require(done.code in (0, 1, 2), f"salvage: exit {done.code}: {done.err}")
        require(measure.snapshot(folder) == before, "salvage changed the damaged image")
        if not said["read"]["ok"]:
            return
        require(done.code == 0, f"salvage lost what can be read: {done.out[-300:]} {done.err}")
        _, salvaged = self.probe_file(target)
        require(salvaged == content, "salvage read something else")

    def judge_cost(self):
        memory = LARGEST.get(self.case.id, MOST_MEMORY)
        for done in self.runs:
            require(done.memory <= memory, f"{done.memory / MIB:.1f} MiB resident")
            if done.cpu > MOST_SECONDS:
                raise TooSlow(f"{done.cpu:.2f} s of processor time")

    def examine(self):
        folder, image = self.build("read")
        before = measure.snapshot(folder)
        said, content = self.probe(image)
        outcome, step = self.outcome(image, said, content)
        self.judge_outcome(outcome, step)
        self.judge_tool(image, said)
        require(measure.snapshot(folder) == before, "reading changed files")
        self.judge_write(said)
        self.judge_repair(said, content, outcome)
        self.judge_salvage(said, content)
        if not SANITIZED:
            self.judge_cost()
        return outcome


def main(arguments):
    keep = None
    if arguments[:1] == ["--keep"]:
        keep = Path(arguments[1])
        arguments = arguments[2:]
    cases = catalogue.read_catalogue()
    ids = {case.id for case in cases}
    for case_id in sorted(ids ^ set(catalogue.BUILDERS)):
        print(f"{case_id}: in the catalogue or built, not both")
    incomplete = ids != set(catalogue.BUILDERS)
    chosen = [case for case in cases if not arguments or case.id in arguments]
    with tempfile.TemporaryDirectory(prefix="vdisk-hostile-") as scratch:
        figures = examine_all(chosen, keep or Path(scratch), keep is not None)
    return 0 if figures and not incomplete else 1


def examine_patiently(case, root):
    """The examination, and what broke or None. Others on the machine slow a processor down: only
    a case that takes too long three times does."""
    for attempt in range(3):
        examination = Examination(case, root / str(attempt))
        try:
            examination.outcome_found = examination.examine()
            return examination, None
        except TooSlow as slow:
            error = slow
        except Broken as broken:
            return examination, broken
    return examination, error


def examine_all(cases, root, keep):
    """Prints what is broken and the table; true when nothing is."""
    broken, runs, outcomes = 0, [], {}
    for case in cases:
        examination, error = examine_patiently(case, root / case.id)
        if error:
            broken += 1
            print(f"{case.id} ({case.what}): {error}")
        else:
            outcome = examination.outcome_found
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        runs += [(done, case.id) for done in examination.runs]
        if not keep:
            shutil.rmtree(root / case.id)
    print_table(len(cases), broken, runs, outcomes)
    median = statistics.median(done.cpu for done, _ in runs)
    quick = SANITIZED or median <= MOST_MEDIAN
    return broken == 0 and bool(cases) and quick


def print_table(count, broken, runs, outcomes):
    slowest, where = max(runs, key=lambda run: run[0].cpu)
    largest, eater = max(runs, key=lambda run: run[0].memory)
    print(f"cases            {count}")
    print(f"within promise   {count - broken}")
    print(f"outcomes         {', '.join(f'{n} {name}' for name, n in sorted(outcomes.items()))}")
    print(f"runs             {len(runs)}")
    print(f"median time      {statistics.median(run.cpu for run, _ in runs) * 1000:.1f} ms cpu, "
          f"{statistics.median(run.wall for run, _ in runs) * 1000:.1f} ms wall")
    print(f"worst time       {slowest.cpu * 1000:.0f} ms cpu, {slowest.wall * 1000:.0f} ms wall "
          f"({where})")
    print(f"peak memory      {largest.memory / MIB:.1f} MiB ({eater})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
