"""What the tests of the Python package share."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import vdisk

MIB = 1 << 20


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vdisk-python-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, size=8 * MIB, **options):
        vdisk.create(self.path(name), size, **options).wait()
        return self.path(name)

    def endless(self):
        """A job that lasts for hours, unless it is canceled."""
        path = self.path("endless.vhdx")
        if not os.path.exists(path):
            self.make("endless.vhdx", 64 << 40)
        return vdisk.hash(path, sha256=True)

    def run_program(self, text):
        """Python in a process of its own, in the folder of the test; what it printed."""
        done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", text],
                              cwd=self.folder, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout
