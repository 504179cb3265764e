#!/usr/bin/env python3
"""Drives the built vdisk-tool as a person or a script would.

    run.py PATH_OF_VDISK_TOOL [names of tests...]

Every test works in a scratch directory of its own. Random content prints its seed;
VDISK_SEED repeats it.
"""
import os
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ["VDISK_TOOL"] = os.path.abspath(sys.argv[1])
    sys.path.insert(0, FOLDER)
    loader = unittest.TestLoader()
    if len(sys.argv) > 2:
        suite = loader.loadTestsFromNames(sys.argv[2:])
    else:
        suite = loader.discover(FOLDER, pattern="*_cases.py", top_level_dir=FOLDER)
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    if result.testsRun == 0:
        print("no test ran")
        return 1
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
