#!/usr/bin/env python3
"""What the Python package refuses before C sees it, and what it takes."""
import inspect
import math
import os
import pathlib
import uuid

import vdisk
from case import MIB, Case
from vdisk import _options

# A value for each type that an operation asks for; the path leads nowhere.
VALUES = {"Path": "none.vhdx", "int": 1, "uuid.UUID": uuid.UUID(int=1), "Buffer": bytes(512),
          "Manifest": vdisk.Manifest(MIB, 4096)}
NOT_OPENING = {"Manifest", "VdiskError"}


def operations():
    """Name and function of each operation, and the keyword arguments that it cannot do without."""
    for name in ["Disk", *vdisk.__all__]:
        function = getattr(vdisk, name)
        if name != "Disk" and not inspect.isfunction(function):
            continue
        parameters = inspect.signature(function).parameters
        needed = {key: VALUES[parameter.annotation] for key, parameter in parameters.items()
                  if parameter.default is parameter.empty
                  and parameter.kind is not parameter.VAR_KEYWORD}
        yield name, function, needed


def optional(function, kind):
    """Names of the arguments of one kind; options are those of open_options."""
    for key, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            yield from optional(_options.open_options, kind)
        elif parameter.annotation.replace(" | None", "") == kind:
            yield key


class Numbers(Case):
    def test_no_number_is_cut_off(self):
        seen = set()
        for name, function, needed in operations():
            for key in set(optional(function, "int")):
                for number in (-1, 2**64, 2**64 + MIB):
                    with self.subTest(name, argument=key), self.assertRaises(OverflowError):
                        function(**{**needed, key: number})
                with self.subTest(name, argument=key), self.assertRaises(TypeError):
                    function(**{**needed, key: 1.5})
                seen.add((name, key))
        self.assertIn(("create", "block_size"), seen)
        self.assertIn(("compare", "metadata_cache_bytes"), seen)
        self.assertGreater(len(seen), 30)

    def test_fields_of_32_bits_are_checked_as_such(self):
        for arguments in (dict(block_size=2**32 + MIB), dict(physical_sector_size=2**32 + 512)):
            with self.assertRaises(OverflowError):
                vdisk.create(self.path("a.vhdx"), MIB, **arguments)
        with self.assertRaises(OverflowError):
            vdisk.merge(self.path("a.vhdx"), depth=2**32 + 1)

    def test_disks_refuse_offsets_that_would_wrap(self):
        with vdisk.Disk(self.make("a.vhdx"), writable=True) as disk:
            for wrong in (-1, 2**64, 2**64 + 512):
                for use in (lambda: disk.write(wrong, b"Z" * 512),
                            lambda: disk.write(wrong, bytearray(512)),
                            lambda: disk.read(wrong, 512),
                            lambda: disk.read_into(wrong, bytearray(512)),
                            lambda: disk.zero(wrong, 512), lambda: disk.zero(0, wrong),
                            lambda: disk.discard(wrong, 512), lambda: disk.discard(0, wrong),
                            lambda: disk.extents(wrong), lambda: disk.extents(0, wrong),
                            lambda: disk.mirror(self.path("m.vhdx"), block_size=wrong)):
                    with self.assertRaises(OverflowError):
                        use()
            self.assertEqual(disk.read(0, 512), bytes(512))

    def test_extents_beyond_the_end_are_refused_at_once(self):
        with vdisk.Disk(self.make("a.vhdx")) as disk:
            for offset, length in ((0, 8 * MIB + 1), (8 * MIB, 1), (9 * MIB, None), (9 * MIB, 0)):
                with self.assertRaises(vdisk.VdiskError) as caught:
                    disk.extents(offset, length)
                self.assertEqual(caught.exception.code, "end_of_file")
            self.assertEqual(list(disk.extents(8 * MIB)), [])
            self.assertEqual(list(disk.extents(5 * MIB, 0)), [])

    def test_manifests_have_the_shape_of_one(self):
        for size, block_size in ((-1, MIB), (2**64, MIB), (MIB, -1), (MIB, 2**64 + MIB)):
            with self.assertRaises(OverflowError):
                vdisk.Manifest(size, block_size)
        for block_size in (0, 512, 12345, 2048, MIB + 512, 512 * MIB):
            with self.assertRaises(ValueError):
                vdisk.Manifest(8 * MIB, block_size)
        for index in (-1, 2**64):
            with self.assertRaises(OverflowError):
                vdisk.Manifest(8 * MIB, MIB, blocks=[(index, bytes(16))])


class Names(Case):
    def test_no_path_or_text_is_cut_at_a_null(self):
        seen = 0
        for name, function, needed in operations():
            paths = set(optional(function, "Path")) | set(optional(function, "Paths"))
            for key in paths | (set(optional(function, "str"))):
                for wrong in ("a.vhdx\0b", b"a.vhdx\0b", pathlib.Path("a.vhdx\0b")):
                    if key not in paths and not isinstance(wrong, str):
                        continue
                    with self.subTest(name, argument=key), self.assertRaises(ValueError):
                        function(**{**needed, key: wrong})
                    seen += 1
        self.assertGreater(seen, 60)
        with vdisk.Disk(self.make("a.vhdx")) as disk, self.assertRaises(ValueError):
            disk.mirror(self.path("copy.vhdx\0.vhd"))

    def test_what_must_be_there_must_be_a_path(self):
        for use in (vdisk.Disk, vdisk.merge, vdisk.tree, vdisk.check):
            for wrong in (None, 3, 1.5):
                with self.assertRaises(TypeError):
                    use(wrong)


class Parents(Case):
    def setUp(self):
        super().setUp()
        for name in ("near", "far", "else"):
            os.mkdir(self.path(name))
        self.base = self.make("far/base.vhdx")
        with vdisk.Disk(self.base, writable=True) as disk:
            disk.write(0, b"p" * 512)
        self.child = self.path("near/child.vhdx")
        vdisk.create(self.child, parent=self.base, parent_roots=self.path("far")).wait()

    def opened(self, **options):
        with vdisk.Disk(self.child, **options) as disk:
            return [layer.path for layer in disk.layers] if disk.read(0, 1) == b"p" else None

    def test_a_root_is_one_folder_and_several_are_several(self):
        for roots in (self.path("far"), os.fsencode(self.path("far")),
                      pathlib.Path(self.path("far")), [self.path("far")],
                      (self.path("else"), pathlib.Path(self.path("far"))),
                      iter([self.path("far")])):
            self.assertEqual(len(self.opened(parent_roots=roots)), 2)

    def test_no_letter_of_a_root_becomes_a_root(self):
        for roots in ((), self.path("else"), [self.path("else")], b"/no/such/folder"):
            with self.assertRaises(vdisk.VdiskError) as caught:
                self.opened(parent_roots=roots)
            self.assertEqual(caught.exception.code, "parent_access_denied")

    def test_a_parent_can_be_named(self):
        os.rename(self.base, self.path("else/moved.vhdx"))
        for parent in (self.path("else/moved.vhdx"), pathlib.Path(self.path("else/moved.vhdx"))):
            self.assertEqual(self.opened(parent=parent)[1], os.fspath(parent))
        digest = vdisk.hash(self.child, parent=parent).wait().hex
        self.assertEqual(digest, vdisk.hash(parent).wait().hex)
        other = self.make("else/other.vhdx")
        with self.assertRaises(vdisk.VdiskError) as caught:
            self.opened(parent=other)
        self.assertEqual(caught.exception.code, "parent_mismatch")

    def test_parents_need_not_be_opened(self):
        with vdisk.Disk(self.child, parents=False) as disk:
            self.assertEqual(len(disk.layers), 1)

    def test_a_source_has_a_format_of_its_own(self):
        with open(self.path("raw"), "wb") as file:
            file.write(b"conectix" + bytes(MIB - 8))  # looks like something else
        vdisk.convert(self.path("raw"), self.path("a.vhdx"), source_format="raw").wait()
        with vdisk.Disk(self.path("a.vhdx")) as disk:
            self.assertEqual((disk.size, disk.read(0, 8)), (MIB, b"conectix"))


class Times(Case):
    def test_zero_and_less_only_look(self):
        with self.endless() as job:
            for timeout in (0, -1, -math.inf, -1e300, 0.0):
                with self.assertRaises(TimeoutError):
                    job.wait(timeout)
        with vdisk.hash(self.make("a.vhdx")) as job:
            done = job.wait()
            self.assertEqual(job.wait(-1), done)

    def test_infinity_and_none_wait_for_the_end(self):
        for timeout in (math.inf, None, 1e300, 2**70):
            job = vdisk.hash(self.make("a.vhdx", replace=True))
            self.assertEqual(job.wait(timeout).virtual_size, 8 * MIB)

    def test_what_is_no_time_is_refused(self):
        with vdisk.hash(self.make("a.vhdx")) as job:
            for wrong in (math.nan, "soon"):
                with self.assertRaises(ValueError):
                    job.wait(wrong)
            for wrong in (0, -1, math.nan):
                with self.assertRaises(ValueError):
                    job.progress(wrong)


class Buffers(Case):
    def test_a_failed_read_lets_go_of_the_buffer(self):
        buffer = bytearray(512)
        with vdisk.Disk(self.make("a.vhdx")) as disk:
            try:
                disk.read_into(99 * MIB, buffer)
                self.fail("read beyond the end")
            except vdisk.VdiskError:
                buffer.extend(b"x")  # BufferError while somebody holds it
        self.assertEqual(len(buffer), 513)

    def test_a_failed_write_lets_go_of_the_buffer(self):
        buffer = bytearray(512)
        with vdisk.Disk(self.make("a.vhdx"), writable=True) as disk:
            try:
                disk.write(99 * MIB, buffer)
                self.fail("written beyond the end")
            except vdisk.VdiskError:
                buffer.extend(b"x")

    def test_every_kind_of_buffer_is_written(self):
        kinds = (bytes, bytearray, memoryview, lambda data: memoryview(bytearray(data)))
        with vdisk.Disk(self.make("a.vhdx"), writable=True) as disk:
            for number, kind in enumerate(kinds, 1):
                data = bytes([number]) * 512
                disk.write(512 * number, kind(data))
                self.assertEqual(disk.read(512 * number, 512), data)
