"""Commands side by side: alternated in shuffled rounds, all outputs removed before each run, the
peer once more as a control. Only ratios within a run mean something."""
import itertools
import os
import random
import re
import resource
import shlex
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

CONTROL_RANGE = (0.8, 1.25)


def words(command):
    """Without a shell where none is needed: starting one takes as long as a short command."""
    return ["bash", "-c", command] if re.search(r"[|&;<>$*]", command) else shlex.split(command)


@dataclass
class Leg:
    """One side of a comparison: a shell command, and what it measured."""
    command: str
    wall: list = field(default_factory=list)
    cpu: list = field(default_factory=list)

    def run(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        done = subprocess.run(words(self.command), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=False)
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise RuntimeError(f"{self.command}: exit {done.returncode}: {done.stderr[-400:]}")
        cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return wall, cpu

    def measure(self):
        wall, cpu = self.run()
        self.wall.append(wall)
        self.cpu.append(max(cpu, 1e-6))


@dataclass
class Ratio:
    """Medians of ours over the peer's; `control` is the peer over itself."""
    wall: float
    cpu: float
    control: float
    ours_seconds: float
    peer_seconds: float

    @property
    def conclusive(self):
        return CONTROL_RANGE[0] <= self.control <= CONTROL_RANGE[1]


def remove(paths):
    for path in paths:
        if os.path.lexists(path):
            os.unlink(path)


def compare(ours, peer, *, rounds, outputs=(), prepare=None, verify=None):
    """Runs both commands `rounds` times. `prepare` makes their inputs anew before each run and is
    not measured; `verify` is a command that must succeed after the first run of each side."""
    legs = {"ours": Leg(ours), "peer": Leg(peer), "control": Leg(peer)}
    orders = list(itertools.permutations(legs))
    random.Random(1).shuffle(orders)
    for number in range(-1, rounds):
        for name in orders[number % len(orders)]:
            remove(outputs)
            if prepare:
                subprocess.run(["bash", "-c", prepare], check=True, stdout=subprocess.DEVNULL)
            os.sync()
            if number >= 0:
                legs[name].measure()
                continue
            legs[name].run()  # warms up
            if verify:
                subprocess.run(["bash", "-c", verify], check=True, stdout=subprocess.DEVNULL)
    remove(outputs)
    wall = {name: statistics.median(leg.wall) for name, leg in legs.items()}
    cpu = {name: statistics.median(leg.cpu) for name, leg in legs.items()}
    return Ratio(wall["ours"] / wall["peer"], cpu["ours"] / cpu["peer"],
                 wall["control"] / wall["peer"], wall["ours"], wall["peer"])


FLUSHES = {"fsync", "fdatasync", "sync_file_range", "syncfs", "sync"}
WRITES = {"write", "pwrite64", "pwritev", "pwritev2", "writev"}
READS = {"read", "pread64", "preadv", "preadv2", "readv"}


def counts(command, *, outputs=(), prepare=None):
    """System calls, flushes, writes and reads of a command, and its peak memory in MiB."""
    def again():
        remove(outputs)
        if prepare:
            subprocess.run(["bash", "-c", prepare], check=True, stdout=subprocess.DEVNULL)
    again()
    with tempfile.NamedTemporaryFile("r") as trace:
        subprocess.run(["strace", "-f", "-qq", "-c", "-o", trace.name, "bash", "-c",
                        "exec " + command], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
        calls = {}
        for line in trace:
            found = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)\s*$", line)
            if found and found.group(2) != "total":
                calls[found.group(2)] = int(found.group(1))
    again()
    with tempfile.NamedTemporaryFile("r") as peak:
        subprocess.run(["/usr/bin/time", "-o", peak.name, "-f", "%M", "bash", "-c",
                        "exec " + command], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=True)
        memory = int(peak.read().split()[-1]) / 1024
    remove(outputs)
    def added(names):
        return sum(count for name, count in calls.items() if name in names)
    return {"calls": sum(calls.values()), "flushes": added(FLUSHES), "writes": added(WRITES),
            "reads": added(READS), "memory_mib": round(memory, 1)}
