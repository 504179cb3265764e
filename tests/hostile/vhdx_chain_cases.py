"""VHDX-90 to VHDX-106: children and what they say about their parents."""

import struct

import vhdx_image
import vhdx_writer as writer
from catalogue import case, variants
from fields import fetch, patch
from vhdx_image import differencing, dynamic
from vhdx_writer import BAT_OFFSET, METADATA_OFFSET, MIB, PAGE

HEADER_SIZE, PAIR_SIZE = 20, 12
LOCATOR_AT = METADATA_OFFSET + vhdx_image.ITEMS["locator"]


def disk(folder):
    return folder / "disk.vhdx"


def parent(folder, **options):
    return dynamic(folder / "parent.vhdx", **options)


def child(folder, **options):
    return differencing(disk(folder), parent(folder), **options)


def store_locator(image, data):
    image.item("locator", data)
    return image.item_entry("locator", length=len(data))


def pair(image, number, form, field_at, value):
    patch(image.path, LOCATOR_AT + HEADER_SIZE + PAIR_SIZE * number + field_at,
          struct.pack(form, value))
    return image


def linkage(image):
    return "{%s}" % image.data_write


def locator(pairs, count=None, kind=writer.LOCATOR_TYPE_VHDX):
    """A locator item of (key bytes, value bytes) pairs; keys may repeat."""
    at = HEADER_SIZE + PAIR_SIZE * len(pairs)
    table, strings = b"", b""
    for key, value in pairs:
        table += struct.pack("<IIHH", at, at + len(key), len(key), len(value))
        strings += key + value
        at += len(key) + len(value)
    count = len(pairs) if count is None else count
    return struct.pack("<16sHH", kind.bytes_le, 0, count) + table + strings


def wide(text):
    return text.encode("utf-16-le", "surrogatepass")


@case("VHDX-90")
def missing(folder):
    image = child(folder)
    (folder / "parent.vhdx").unlink()
    return image


@case("VHDX-91")
def unknown_locator_type(folder):
    return child(folder).item("locator", bytes(16))


@case("VHDX-92")
def pair_count(folder):
    image = child(folder)
    patch(image.path, LOCATOR_AT + 18, struct.pack("<H", 65535))
    return image


@variants("VHDX-93", {"a": ("<I", 0, 0xFFFFFFFF), "b": ("<I", 4, 60000), "c": ("<H", 10, 65534),
                      "d": ("<H", 8, 27), "e": ("<H", 10, 75)})
def pair_place(folder, change):
    return pair(child(folder), 0, *change)


@case("VHDX-93f")
def empty_pair(folder):
    image = pair(child(folder), 1, "<H", 8, 0)
    return pair(image, 1, "<H", 10, 0)


@case("VHDX-94")
def linkage_twice(folder):
    image = child(folder)
    link = wide("parent_linkage")
    return store_locator(image, locator([
        (link, wide("{%s}" % image.data_write)), (link, wide("{%s}" % vhdx_image.guid(5))),
        (wide("relative_path"), wide(".\\parent.vhdx"))]))


@case("VHDX-95")
def no_linkage(folder):
    return store_locator(child(folder), locator([(wide("relative_path"), wide(".\\parent.vhdx"))]))


@case("VHDX-96")
def linkage_is_no_guid(folder):
    return store_locator(child(folder), writer.parent_locator(
        {"parent_linkage": "not a guid", "relative_path": ".\\parent.vhdx"}))


@case("VHDX-97")
def parent_was_written(folder):
    return child(folder, linkage=vhdx_image.guid(99))


@case("VHDX-98")
def second_linkage_matches(folder):
    base = parent(folder)
    return differencing(disk(folder), base, linkage=vhdx_image.guid(99), paths={
        "parent_linkage2": linkage(base), "relative_path": ".\\parent.vhdx"})


@variants("VHDX-99", {"a": "/etc/passwd", "b": "..\\..\\..\\..\\etc\\passwd",
                      "c": "\\\\server\\share\\parent.vhdx", "d": "\\\\.\\PhysicalDrive0",
                      "e": "/dev/zero", "f": "parent.vhdx\0.txt", "g": "\ud800parent.vhdx",
                      "h": "", "i": "x" * 30000})
def forbidden_path(folder, path):
    base = parent(folder)
    image = differencing(disk(folder), base)
    return store_locator(image, locator([(wide("parent_linkage"), wide(linkage(base))),
                                         (wide("relative_path"), wide(path))]))


@case("VHDX-100")
def its_own_parent(folder):
    own = vhdx_image.guid(sum(b"child"))
    return child(folder, linkage=own, paths={"relative_path": ".\\disk.vhdx"})


@case("VHDX-101")
def two_in_a_circle(folder):
    base = parent(folder)
    other = differencing(folder / "other.vhdx", base, salt="other",
                         linkage=vhdx_image.guid(sum(b"child")),
                         paths={"relative_path": ".\\disk.vhdx"})
    (folder / "parent.vhdx").unlink()
    return differencing(disk(folder), other, paths={"relative_path": ".\\other.vhdx"})


@case("VHDX-102")
def larger_child(folder):
    return differencing(disk(folder), parent(folder), own=(9, 10, 20000), size=16 * MIB)


@case("VHDX-103")
def parent_with_other_sectors(folder):
    return differencing(disk(folder), parent(folder, numbers=(0, 8), sector=4096))


@case("VHDX-104")
def corrupt_parent(folder):
    base = parent(folder)
    image = differencing(disk(folder), base)
    base.header(seal=False, checksum=1)
    return image


@case("VHDX-105")
def parent_with_a_dirty_log(folder):
    base = parent(folder)
    image = differencing(disk(folder), base)
    page = base.bat_page()
    patch(base.path, BAT_OFFSET, bytes(PAGE))
    base.log(base.entry({BAT_OFFSET: page}))
    return image


@case("VHDX-106")
def short_locator(folder):
    return child(folder).item_entry("locator", length=10)
