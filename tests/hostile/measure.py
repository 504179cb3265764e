"""Runs a program and measures it; looks at files without reading their holes."""

import hashlib
import os
import subprocess
import time

WALL_LIMIT = 60  # seconds; longer is a hang
KIB = 1 << 10


class Run:
    """What one run of a program said, and what it cost."""

    def __init__(self, done, wall):
        *said, figures = done.stderr.decode("utf-8", "replace").splitlines()
        self.code = done.returncode
        self.out = done.stdout
        self.err = said
        self.memory = int(figures.split()[0]) * KIB
        self.cpu = int(figures.split()[1]) / 1e6
        self.wall = wall


def run(launcher, *command):
    """`launcher` is the small program that starts the command and measures it."""
    began = time.monotonic()
    done = subprocess.run([launcher, *map(str, command)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=WALL_LIMIT)
    return Run(done, time.monotonic() - began)


def digest(path):
    """Content without holes: the same bytes give the same digest wherever the holes are."""
    found = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        at = 0
        while at < end:
            try:
                at = file.seek(at, os.SEEK_DATA)
            except OSError:
                break
            stop = file.seek(at, os.SEEK_HOLE)
            while at < stop:
                file.seek(at)
                piece = file.read(min(1 << 20, stop - at))
                if any(piece):
                    found.update(b"%d:" % at + piece)
                at += len(piece)
    return end, found.hexdigest()


def snapshot(folder):
    """Everything below the folder: names, sizes, contents, times of the last change."""
    return {entry.name: (*digest(entry.path), entry.stat().st_mtime_ns)
            for entry in os.scandir(folder)}
