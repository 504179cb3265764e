#!/usr/bin/env python3
"""Handles of the Python package: threads, signals, garbage, copies, forks, the end."""
import copy
import gc
import os
import pickle
import signal
import threading
import time
import unittest

import vdisk
from case import MIB, Case
from vdisk._handle import Handle

PATIENCE = 60  # seconds after which a test has failed


class Calls(unittest.TestCase):
    """The rules of a handle, with functions of Python in place of those of C."""

    def setUp(self):
        self.events = []
        self.handle = Handle("pointer", "thing", lambda pointer: self.events.append("freed"),
                             lambda pointer: self.events.append("canceled"))
        self.inside, self.go_on = threading.Event(), threading.Event()

    def slow(self, pointer):
        self.inside.set()
        self.assertTrue(self.go_on.wait(PATIENCE))
        self.events.append("left")

    def start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        return thread

    def test_the_end_waits_for_calls_and_refuses_later_ones(self):
        caller = self.start(self.handle.call, self.slow)
        self.assertTrue(self.inside.wait(PATIENCE))
        canceled = threading.Event()
        self.handle._cancel = lambda pointer: canceled.set()
        ender = self.start(self.handle.free)
        self.assertTrue(canceled.wait(PATIENCE))
        refused = []

        def call_late():
            try:
                self.handle.call(lambda pointer: self.events.append("late"))
            except ValueError as error:
                refused.append(error)

        late = self.start(call_late)
        self.assertEqual(self.events, [])
        self.go_on.set()
        for thread in (caller, ender, late):
            thread.join(PATIENCE)
        self.assertEqual((self.events, len(refused)), (["left", "freed"], 1))

    def test_it_ends_once(self):
        enders = [self.start(self.handle.free) for _ in range(8)]
        for ender in enders:
            ender.join(PATIENCE)
        self.assertEqual(self.events, ["canceled", "freed"])

    def test_a_refused_end_changes_nothing(self):
        def refuse(pointer):
            raise vdisk.VdiskError(16, "operation in progress")
        with self.assertRaises(vdisk.VdiskError):
            self.handle.end(refuse)
        self.assertEqual(self.handle.call(lambda pointer: pointer), "pointer")

    def test_a_call_cannot_end_its_own_handle(self):
        with self.assertRaises(RuntimeError):
            self.handle.call(lambda pointer: self.handle.free())
        self.assertNotIn("freed", self.events)
        self.handle.free()
        self.assertIn("freed", self.events)

    def test_dependents_are_freed_first(self):
        Handle("other", "dependent", lambda pointer: self.events.append("dependent"),
               keeper=self.handle)
        self.handle.free()
        self.assertEqual(self.events, ["canceled", "dependent", "freed"])
        self.assertEqual(self.handle.dependents, set())


class Threads(Case):
    def in_threads(self, count, work):
        """Runs work in threads until it raises; a function that gives what they raised."""
        raised = []

        def run():
            try:
                while True:
                    work()
            except Exception as error:
                raised.append(error)
        threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()

        def finish():
            for thread in threads:
                thread.join(PATIENCE)
                self.assertFalse(thread.is_alive())
            return raised
        return finish

    def test_disks_are_closed_while_others_read(self):
        path = self.make("a.vhdx", 64 * MIB)
        for end in (vdisk.Disk.close, vdisk.Disk.drop) * 10:
            disk = vdisk.Disk(path, writable=True)
            read = threading.Event()
            finish = self.in_threads(4, lambda: (disk.read(0, 4 * MIB), disk.layers, read.set()))
            self.assertTrue(read.wait(PATIENCE))
            end(disk)
            self.assertEqual({type(error) for error in finish()}, {ValueError})

    def test_jobs_end_while_others_wait(self):
        for _ in range(10):
            with self.endless() as job:
                begun = threading.Event()
                finish = self.in_threads(4, lambda: (begun.set(), job.wait()))
                self.assertTrue(begun.wait(PATIENCE))
            for error in finish():
                self.assertIsInstance(error, (ValueError, vdisk.VdiskError))
                self.assertEqual(getattr(error, "code", "canceled"), "canceled")

    def test_trees_are_read_while_the_job_ends(self):
        self.make("a.vhdx")
        for _ in range(20):
            job = vdisk.tree(self.folder)
            job.wait()
            read = threading.Event()
            finish = self.in_threads(4, lambda: (job.wait()[0].path, read.set()))
            self.assertTrue(read.wait(PATIENCE))
            job.release()
            self.assertEqual({type(error) for error in finish()}, {ValueError})

    def test_a_mirrored_disk_stays_open_for_others(self):
        with vdisk.Disk(self.make("a.vhdx"), writable=True) as disk:
            with disk.mirror(self.path("copy.vhd")):
                stop = threading.Event()

                def work():
                    if stop.is_set():
                        raise KeyError("told to stop")
                    disk.read(0, 512)
                finish = self.in_threads(4, work)
                for _ in range(50):
                    with self.assertRaises(vdisk.VdiskError) as caught:
                        disk.close()
                    self.assertEqual(caught.exception.code, "operation_in_progress")
                stop.set()
                self.assertEqual({type(error) for error in finish()}, {KeyError})


class Garbage(Case):
    def test_the_order_of_the_collector_does_not_matter(self):
        path = self.make("a.vhdx", 64 * MIB)
        freed = []

        def record(name, handle):
            free = handle._free
            handle._free = lambda pointer: (freed.append(name), free(pointer))

        class Backup:
            def __init__(self, copy_path):
                self.disk = vdisk.Disk(path, writable=True)
                self.mirror = self.disk.mirror(copy_path)
                record("disk", self.disk._handle)
                record("mirror", self.mirror._handle)
                self.on_event = self.handle

            def handle(self):
                pass
        for number in range(10):
            Backup(self.path(f"{number}.vhd"))
            gc.collect()
        self.assertEqual(freed, ["mirror", "disk"] * 10)
        with vdisk.Disk(path, writable=True):  # nobody holds its lock
            pass
        self.assertEqual([name for name in os.listdir(self.folder) if name.endswith(".vhd")], [])

    def test_an_ended_mirror_outlives_its_disk(self):
        disk = vdisk.Disk(self.make("a.vhdx"), writable=True)
        mirror = disk.mirror(self.path("copy.vhd"))
        mirror.break_off()
        done = mirror.wait()
        disk.close()
        self.assertEqual(mirror.wait(), done)

    def test_no_handle_is_copied_or_pickled(self):
        with vdisk.Disk(self.make("a.vhdx"), writable=True) as disk:
            with disk.mirror(self.path("copy.vhd")) as mirror, self.endless() as job:
                for owner in (disk, mirror, job):
                    for use in (copy.copy, copy.deepcopy, pickle.dumps):
                        with self.assertRaises(TypeError):
                            use(owner)

    def test_manifests_are_copied_by_their_blocks(self):
        path = self.make("a.vhdx")
        with vdisk.Disk(path, writable=True) as disk:
            disk.write(0, b"a" * 512)
        manifest = vdisk.make_manifest(path, sha256=True).wait()
        blocks = list(manifest)
        for use in (copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))):
            other = use(manifest)
            self.assertEqual((other.virtual_size, other.block_size, other.sha256, list(other)),
                             (8 * MIB, manifest.block_size, True, blocks))
        del manifest
        self.assertEqual(list(other), blocks)


class Errors(Case):
    def caught(self, use):
        with self.assertRaises(vdisk.VdiskError) as caught:
            use()
        return caught.exception

    def test_errors_are_copied_and_pickled_whole(self):
        with open(self.path("bad.vhdx"), "wb") as file:
            file.write(b"vhdxfile" + bytes(3 * MIB))
        found = self.caught(lambda: vdisk.Disk(self.path("bad.vhdx")))
        missing = self.caught(lambda: vdisk.Disk(self.path("none.vhdx")))
        self.assertEqual((found.errno, missing.errno), (None, 2))
        found.remark = "the caller's"
        for error in (found, missing, vdisk.VdiskError(9, "text", 5, 4096)):
            for use in (copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))):
                other = use(error)
                self.assertIs(type(other), vdisk.VdiskError)
                self.assertEqual((str(other), other.errno, other.__dict__),
                                 (str(error), error.errno, error.__dict__))


class Interrupted(Exception):
    pass


class Signals(Case):
    def interrupt_after(self, seconds):
        def interrupt(number, frame):
            raise Interrupted
        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def test_waiting_is_interrupted(self):
        for wait in (lambda job: job.wait(), lambda job: job.wait(3600),
                     lambda job: list(job.progress(3600))):
            with self.endless() as job:
                timer = threading.Timer(PATIENCE, job.cancel)  # without the interrupt
                timer.start()
                begin = time.monotonic()
                with self.assertRaises(Interrupted):
                    self.interrupt_after(0.05)
                    wait(job)
                self.assertLess(time.monotonic() - begin, PATIENCE / 2)
                timer.cancel()
                self.assertEqual(job.status.operation_status, "pending")

    def test_waiting_costs_no_processor_time(self):
        with self.endless() as job:
            begin = time.thread_time()
            with self.assertRaises(TimeoutError):
                job.wait(0.5)
            self.assertLess(time.thread_time() - begin, 0.1)

    def test_an_interrupt_leaves_no_call_behind(self):
        path = self.make("a.vhdx")
        for number in range(40):
            with self.assertRaises(Interrupted):
                with vdisk.Disk(path) as disk:
                    self.interrupt_after(0.001 + number * 0.0001)
                    while True:
                        disk.read(0, 512)
            with self.assertRaises(ValueError):
                disk.size


class Processes(Case):
    START = """
import os, sys, threading, time
import vdisk
vdisk.create("big.vhdx", 64 << 40, replace=True).wait()
job = vdisk.hash("big.vhdx", sha256=True)
while job.status.current_value == 0: pass
"""

    def test_waiting_needs_no_descriptor(self):
        text = self.START + """
import resource
limit = int(os.open("big.vhdx", os.O_RDONLY)) + 1
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
used = []
try:
    while True: used.append(os.dup(0))
except OSError: pass
begin, look, looks = time.monotonic(), job._look, []
job._look = lambda seconds: (looks.append(seconds), look(seconds))[1]
for count, status in enumerate(job.progress(0.05)):
    if count == 8: break
print(status.operation_status, time.monotonic() - begin >= 0.4, len(looks) < 40)
try: job.wait(0.05)
except TimeoutError: print("in time")
try: print(job.fileno() >= 0)
except vdisk.VdiskError as error: print(error.code)
job.cancel()
try: job.wait()
except vdisk.VdiskError as error: print(error.code)
for status in job: print(status.operation_status)
"""
        lines = self.run_program(text).splitlines()
        self.assertEqual([lines[0], lines[1], *lines[3:]],
                         ["pending True True", "in time", "canceled", "canceled"])
        self.assertIn(lines[2], ("io", "True"))

    def test_a_program_may_end_while_a_job_runs(self):
        waiters = "threading.Thread(target=job.wait, daemon=True).start()\n" * 3
        for text in ("", waiters, "statuses = iter(job); next(statuses)",
                     waiters + "job.itself = job"):
            self.run_program(self.START + text)

    def test_a_program_may_end_while_a_disk_is_mirrored(self):
        self.run_program(self.START + """
vdisk.create("a.vhdx", 64 << 20).wait()
disk = vdisk.Disk("a.vhdx", writable=True)
mirror = disk.mirror("copy.vhd")
threading.Thread(target=mirror.wait, daemon=True).start()
while not mirror.in_step or not mirror._handle._inside: pass
""")
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.vhdx", "big.vhdx"])

    def test_a_child_of_a_fork_leaves_the_job_to_its_parent(self):
        said = self.run_program(self.START + """
threading.Thread(target=job.wait, daemon=True).start()
while not job._handle._inside: pass
child = os.fork()
if child == 0:
    with job: pass
    sys.exit(0)
print(os.waitpid(child, 0)[1], job.status.operation_status)
""")
        self.assertEqual(said, "0 pending\n")
