#!/usr/bin/env python3
"""Runs the guides: every ```sh and ```python block of docs/guides, in order, in one folder each.

    guides_test.py TOOL GUIDE...

A comment `<!-- before: ... -->` holds commands that make what the guide finds. PYTHONPATH and
VDISK_LIBRARY lead to the Python package.
"""
import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```|^<!-- before:[^\n]*\n(.*?)^-->", re.M | re.S)


def run(guide, tool):
    with open(guide) as file:
        text = file.read()
    ran = 0
    environment = dict(os.environ, PATH=os.path.dirname(tool) + ":" + os.environ["PATH"])
    with tempfile.TemporaryDirectory(prefix="vdisk-guide-") as folder:
        for language, block, before in BLOCK.findall(text):
            command = (["python3", "-c", block] if language == "python"
                       else ["bash", "-euo", "pipefail", "-c", block or before])
            done = subprocess.run(command, cwd=folder, env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            ran += 1
            if done.returncode != 0:
                print(f"{guide}: exit {done.returncode}\n{block or before}\n{done.stdout}")
                return False
    print(f"{os.path.basename(guide)}: {ran} blocks")
    return ran > 0


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    tool, *guides = sys.argv[1:]
    return 0 if all([run(guide, os.path.abspath(tool)) for guide in guides]) else 1


if __name__ == "__main__":
    sys.exit(main())
