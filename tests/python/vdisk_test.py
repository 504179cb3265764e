#!/usr/bin/env python3
"""The Python package against the built library (VDISK_LIBRARY, PYTHONPATH).

Run as a program it runs the tests beside it, too.
"""
import array
import hashlib
import os
import select
import threading
import unittest
import uuid

import vdisk
from case import MIB, Case


class Toolbox(Case):
    def setUp(self):
        super().setUp()
        self.base = self.make("base.vhdx")
        self.fill(self.base, MIB, b"a" * MIB)
        self.child = self.path("child.vhdx")
        vdisk.create(self.child, parent=self.base).wait()
        self.fill(self.child, 4 * MIB, b"b" * MIB)

    @staticmethod
    def fill(path, offset, data):
        with vdisk.Disk(path, writable=True) as disk:
            disk.write(offset, data)

    def test_moved_parents_are_found(self):
        os.rename(self.base, self.path("moved.vhdx"))
        child, moved = vdisk.tree(self.folder).wait()
        self.assertEqual((child.path, child.parent_state, child.parent),
                         (self.child, "moved", 1))
        self.assertEqual((moved.format, moved.parent, moved.fault), ("vhdx", None, None))
        self.assertEqual(vdisk.relink(self.folder, dry_run=True).wait().links, 1)
        self.assertEqual(vdisk.relink(self.folder).wait(), vdisk.Relinked(2, 1, 0))
        os.rename(self.path("moved.vhdx"), self.base)
        rebased = vdisk.rebase(self.child, self.base).wait()
        self.assertEqual((rebased.parent_id, rebased.identity_changed), (moved.id, False))
        with vdisk.Disk(self.child) as disk:
            self.assertEqual(disk.read(MIB, MIB), b"a" * MIB)

    def test_chains_are_flattened_beside_themselves(self):
        vdisk.merge(self.child, output=self.path("flat.vhd")).wait()
        self.assertTrue(vdisk.compare(self.child, self.path("flat.vhd")).wait().identical)

    def test_changes_are_ranges(self):
        found = vdisk.diff(self.base, self.child, granularity=MIB).wait()
        self.assertEqual(found.ranges, (vdisk.Range(4 * MIB, MIB, False),))
        self.assertIsNone(found.now)
        for sha256 in (False, True):
            manifest = vdisk.make_manifest(self.child, sha256=sha256).wait()
            self.assertEqual([index for index, digest in manifest], [1, 4])
            stored = (manifest.virtual_size, manifest.block_size, manifest.sha256, list(manifest))
            if sha256:
                self.assertEqual(stored[3][0][1], hashlib.sha256(b"a" * MIB).digest())
            loaded = vdisk.Manifest(*stored)
            self.fill(self.child, 6 * MIB, b"c" * MIB)
            self.fill(self.child, 4 * MIB, bytes(MIB))
            found = vdisk.changes(self.child, loaded).wait()
            self.assertEqual(found.ranges, (vdisk.Range(4 * MIB, MIB, True),
                                            vdisk.Range(6 * MIB, MIB, False)))
            self.assertEqual([index for index, digest in found.now], [1, 6])
            self.fill(self.child, 6 * MIB, bytes(MIB))
            self.fill(self.child, 4 * MIB, b"b" * MIB)

    def test_metadata_are_kept(self):
        id = uuid.uuid4()
        vdisk.set_metadata(self.child, id, b"backup 7")
        item = vdisk.list_metadata(self.child)[-1]
        self.assertEqual((item.id, item.length, item.is_user), (id, 8, True))
        self.assertEqual(vdisk.get_metadata(self.child, id), b"backup 7")
        vdisk.remove_metadata(self.child, id)
        with self.assertRaises(vdisk.VdiskError) as caught:
            vdisk.get_metadata(self.child, id)
        self.assertEqual(caught.exception.code, "not_found")


class Disks(Case):
    def test_what_is_written_is_read(self):
        for name in ("a.vhd", "a.vhdx"):
            path = self.make(name)
            data = os.urandom(MIB)
            with vdisk.Disk(path, writable=True) as disk:
                self.assertEqual(disk.size, 8 * MIB)
                disk.write(MIB, data)
                disk.write(3 * MIB, bytearray(b"x" * 512))
                disk.zero(MIB, 512)
                disk.flush()
            with vdisk.Disk(path) as disk:
                self.assertEqual(disk.read(MIB, MIB), bytes(512) + data[512:])
                self.assertEqual(disk.read(3 * MIB, 512), b"x" * 512)
                self.assertEqual(len(disk), 8 * MIB)

    def test_buffers_are_filled_in_place(self):
        path = self.make("a.vhdx")
        with vdisk.Disk(path, writable=True) as disk:
            disk.write(0, b"abcd" * 128)
            buffer = bytearray(1024)
            disk.read_into(0, memoryview(buffer)[512:])
            self.assertEqual(bytes(buffer), bytes(512) + b"abcd" * 128)
            numbers = array.array("I", [0] * 128)
            disk.read_into(0, numbers)
            self.assertEqual(numbers.tobytes(), b"abcd" * 128)
            with self.assertRaises((TypeError, BufferError)):
                disk.read_into(0, b"read-only bytes")

    def test_layers_and_extents(self):
        base = self.make("base.vhdx", block_size=MIB)
        with vdisk.Disk(base, writable=True) as disk:
            disk.write(2 * MIB, b"b" * MIB)
        vdisk.create(self.path("child.vhdx"), parent=base).wait()
        with vdisk.Disk(self.path("child.vhdx"), writable=True) as disk:
            disk.write(5 * MIB, b"c" * 512)
            layers = disk.layers
            self.assertEqual([layer.type for layer in layers], ["differencing", "dynamic"])
            self.assertEqual(layers[1].path, base)
            self.assertIsInstance(layers[0].id, uuid.UUID)
            data = [extent for extent in disk.extents() if extent.state == "data"]
            self.assertEqual([(e.offset, e.length, e.depth) for e in data],
                             [(2 * MIB, MIB, 1), (5 * MIB, 512, 0)])
            self.assertEqual(sum(e.length for e in disk.extents()), disk.size)

    def test_errors_have_code_kind_and_text(self):
        with self.assertRaises(vdisk.VdiskError) as caught:
            vdisk.Disk(self.path("none.vhdx"))
        self.assertEqual(caught.exception.code, "file_not_found")
        self.assertIn("none.vhdx", str(caught.exception))
        with open(self.path("bad.vhdx"), "wb") as file:
            file.write(b"vhdxfile" + bytes(3 * MIB))
        with self.assertRaises(vdisk.VdiskError) as caught:
            vdisk.Disk(self.path("bad.vhdx"))
        self.assertEqual(caught.exception.kind, "corrupt")
        with self.assertRaises(ValueError):
            vdisk.Disk(self.path("none.vhdx"), read_log="sometimes")
        with self.assertRaises(TypeError):
            vdisk.Disk(self.path("none.vhdx"), no_such_option=1)

    def test_a_closed_disk_is_closed(self):
        path = self.make("a.vhdx")
        disk = vdisk.Disk(path)
        disk.close()
        disk.close()
        for use in (lambda: disk.size, lambda: disk.read(0, 512), disk.flush):
            with self.assertRaises(ValueError):
                use()

    def test_an_exception_drops_the_disk_and_its_lock(self):
        path = self.make("a.vhdx")
        with self.assertRaises(KeyError):
            with vdisk.Disk(path, writable=True) as disk:
                disk.write(0, b"x" * 512)
                raise KeyError("the caller's")
        with vdisk.Disk(path, writable=True):
            pass


class Jobs(Case):
    def test_every_operation_gives_its_output(self):
        path = self.make("a.vhdx")
        identity = uuid.uuid4()
        created = vdisk.create(self.path("b.vhd"), 4 * MIB, id=identity, type="fixed").wait()
        self.assertEqual(created, vdisk.Created(identity, 4 * MIB))
        with vdisk.Disk(path, writable=True) as disk:
            disk.write(0, b"a" * MIB)
        vdisk.convert(path, self.path("copy.vhd")).wait()
        same = vdisk.compare(path, self.path("copy.vhd")).wait()
        self.assertTrue(same.identical)
        self.assertIsNone(same.first_difference)
        resized = vdisk.expand(path, 16 * MIB).wait()
        self.assertEqual((resized.old_size, resized.new_size), (8 * MIB, 16 * MIB))
        self.assertEqual(vdisk.resize(path, 32 * MIB, fix_gpt=True).wait().gpt, "none")
        with self.assertRaises(vdisk.VdiskError) as caught:
            vdisk.shrink(path, MIB // 2).wait()
        self.assertEqual(caught.exception.code, "cannot_shrink")
        self.assertEqual(vdisk.shrink(path, 16 * MIB).wait().new_size, 16 * MIB)
        digest = vdisk.hash(path, sha256=True).wait()
        self.assertEqual(digest.hex, hashlib.sha256(b"a" * MIB + bytes(15 * MIB)).hexdigest())
        self.assertTrue(vdisk.check(path).wait().clean)
        vdisk.create(self.path("child.vhdx"), parent=path).wait()
        with vdisk.Disk(self.path("child.vhdx"), writable=True) as disk:
            disk.write(2 * MIB, b"m" * MIB)
        merged = vdisk.merge(self.path("child.vhdx"), delete_children=True).wait()
        self.assertEqual(merged.merged_bytes, MIB)
        self.assertFalse(os.path.exists(self.path("child.vhdx")))
        with vdisk.Disk(path, writable=True) as disk:
            disk.write(2 * MIB, bytes(MIB))
            disk.write(0, bytes(MIB))
        gain = vdisk.compact(path, estimate=True).wait().reclaimed_bytes
        self.assertGreater(gain, 0)
        size = os.path.getsize(path)
        compacted = vdisk.compact(path).wait()
        self.assertEqual(os.path.getsize(path), compacted.new_file_size)
        self.assertEqual(compacted.no_gain, "none")
        self.assertLess(compacted.new_file_size, size)

    def test_a_mirror_follows_until_it_is_broken_off(self):
        path = self.make("a.vhdx")
        with vdisk.Disk(path, writable=True) as disk:
            with disk.mirror(self.path("copy.vhd")) as mirror:
                while not mirror.in_step:
                    with self.assertRaises(TimeoutError):
                        mirror.wait(0.01)
                disk.write(MIB, b"m" * MIB)
                with self.assertRaises(vdisk.VdiskError) as caught:
                    disk.close()
                self.assertEqual(caught.exception.code, "operation_in_progress")
                self.assertFalse(os.path.exists(self.path("copy.vhd")))
                mirror.break_off()
                self.assertEqual(mirror.wait().virtual_size, 8 * MIB)
            disk.mirror(self.path("never.vhd"))  # nobody keeps it: canceled
        self.assertFalse(os.path.exists(self.path("never.vhd")))
        self.assertTrue(vdisk.compare(path, self.path("copy.vhd")).wait().identical)

    def test_a_disk_that_is_dropped_cancels_its_mirrors(self):
        disk = vdisk.Disk(self.make("a.vhdx"), writable=True)
        mirror = disk.mirror(self.path("copy.vhd"))
        disk.drop()
        with self.assertRaises(ValueError):
            mirror.break_off()
        self.assertFalse(os.path.exists(self.path("copy.vhd")))

    def test_damage_is_repaired_or_salvaged(self):
        path = self.make("a.vhdx")
        with vdisk.Disk(path, writable=True) as disk:
            disk.write(0, b"a" * MIB)
        with open(path, "r+b") as file:  # the first header
            file.seek(1 << 16)
            file.write(bytes(4096))
        planned = vdisk.repair(path).wait()
        self.assertFalse(planned.applied)
        self.assertEqual((planned.findings_before, planned.findings_after), (1, 0))
        done = vdisk.repair(path, apply=True, undo=self.path("undo")).wait()
        self.assertTrue(done.applied and done.opens_after)
        self.assertTrue(vdisk.check(path).wait().clean)
        with open(path, "r+b") as file:  # both region tables
            file.seek(3 << 16)
            file.write(bytes(2 << 16))
        saved = vdisk.salvage(path, self.path("saved.vhdx")).wait()
        self.assertEqual((saved.virtual_size, saved.lost_bytes), (8 * MIB, 0))
        with vdisk.Disk(self.path("saved.vhdx")) as disk:
            self.assertEqual(disk.read(0, MIB), b"a" * MIB)

    def test_progress_ends_with_the_final_status(self):
        path = self.make("a.vhdx")
        with vdisk.hash(path) as job:
            seen = list(job)
            self.assertEqual(seen[-1].operation_status, "success")
            self.assertTrue(all(0 <= status.fraction <= 1 for status in seen))
            self.assertEqual(job.wait(), job.wait())

    def test_cancel_timeout_and_context(self):
        path = self.make("large.vhdx", 64 << 40)
        with vdisk.hash(path, sha256=True) as job:
            with self.assertRaises(TimeoutError):
                job.wait(0.01)
            self.assertEqual(job.cancel(), "canceled")
            with self.assertRaises(vdisk.VdiskError) as caught:
                job.wait()
            self.assertEqual(caught.exception.code, "canceled")
        with vdisk.hash(path, sha256=True) as job:
            pass  # leaving cancels
        with self.assertRaises(ValueError):
            job.wait()

    def test_event_loops_can_wait(self):
        with vdisk.hash(self.make("a.vhdx")) as job:
            poll = select.poll()
            poll.register(job.fileno(), select.POLLIN)
            self.assertTrue(poll.poll(60000))
            self.assertEqual(job.status.operation_status, "success")

    def test_failures_are_raised_by_wait(self):
        path = self.make("a.vhdx")
        job = vdisk.create(path, MIB)
        with self.assertRaises(vdisk.VdiskError) as caught:
            job.wait()
        self.assertEqual(caught.exception.code, "file_exists")

    def test_many_threads(self):
        path = self.make("a.vhdx", block_size=MIB)
        with vdisk.Disk(path, writable=True) as disk:
            def work(index):
                for _ in range(20):
                    disk.write(index * MIB, bytes([index + 1]) * 4096)
                    self.assertEqual(disk.read(index * MIB, 4096), bytes([index + 1]) * 4096)
            threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertTrue(vdisk.check(path).wait().clean)


if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))
    unittest.main(module=None, argv=[__file__, "discover", "-s", folder, "-p", "*_test.py"])
