"""VHD-00 to VHD-50: one file alone."""

import struct

import vhd_image
import vhd_writer
import vhdx_image
from catalogue import case, variants
from fields import patch, resize
from vhd_image import (HEADER_AT, KIB, MIB, NO_OFFSET, SECTOR, differencing, dynamic, fixed,
                       sectors)

GIB, TIB = 1 << 30, 1 << 40
LARGEST = 2040 * GIB
ALL_32, ALL_64 = 0xFFFFFFFF, NO_OFFSET


def disk(folder):
    return folder / "disk.vhd"


@case("VHD-00a")
def valid_fixed(folder):
    return fixed(disk(folder))


@case("VHD-00b")
def valid_dynamic(folder):
    return dynamic(disk(folder))


@case("VHD-00c")
def valid_partial_last_block(folder):
    return dynamic(disk(folder), 9 * MIB, 2 * MIB, (0, 4095, 4096, 16384, 18431))


@case("VHD-00d")
def valid_child(folder):
    return differencing(disk(folder), dynamic(folder / "parent.vhd"))


# Footers.

@case("VHD-01")
def both_footers_bad(folder):
    return dynamic(disk(folder)).footer(seal=False, checksum=0x12345678)


@case("VHD-02")
def leading_copy_damaged(folder):
    return dynamic(disk(folder)).footer("start", seal=False, checksum=0x12345678)


@case("VHD-03")
def trailing_footer_zeroed(folder):
    image = dynamic(disk(folder))
    patch(image.path, image.end() - SECTOR, bytes(SECTOR))
    return image


@case("VHD-04")
def trailing_footer_torn(folder):
    image = dynamic(disk(folder))
    patch(image.path, image.end() - SECTOR + 256, b"\xEE" * 256)
    return image


@case("VHD-05")
def trailing_footer_cut(folder):
    image = dynamic(disk(folder))
    return image.cut(image.end() - SECTOR)


@case("VHD-06")
def zeros_behind_the_footer(folder):
    return dynamic(disk(folder)).append(bytes(4 * KIB))


@case("VHD-07")
def expand_interrupted(folder):
    return dynamic(disk(folder)).footer("end", current_size=8 * MIB, original_size=4 * MIB)


@case("VHD-08")
def fixed_without_footer(folder):
    image = fixed(disk(folder))
    return image.cut(image.end() - SECTOR)


@case("VHD-09")
def fixed_claims_more(folder):
    return fixed(disk(folder)).footer(current_size=8 * MIB)


@case("VHD-10")
def footer_version_2(folder):
    return dynamic(disk(folder)).footer(version=0x00020000)


@variants("VHD-11", {"a": 0, "b": 1, "c": 5, "d": 6, "e": ALL_32})
def disk_type(folder, value):
    image = dynamic(disk(folder))
    end = image.end() - SECTOR
    image.footer("start", disk_type=value)
    image.footer_places = lambda where: [end]
    return image.footer("end", disk_type=value)


@variants("VHD-12", {"a": ALL_64, "b": 0, "c": 1 << 63, "d": ALL_64 - 511, "e": 64 * MIB})
def data_offset(folder, value):
    return dynamic(disk(folder)).footer(data_offset=value)


@variants("VHD-13", {"a": 0, "b": 1 << 63, "c": (1 << 64) - 512, "d": 3 * TIB})
def current_size(folder, value):
    return dynamic(disk(folder)).footer(current_size=value)


@case("VHD-14")
def size_not_of_sectors(folder):
    return dynamic(disk(folder)).footer(current_size=4 * MIB + 100)


@case("VHD-15")
def size_over_the_table(folder):
    return dynamic(disk(folder)).footer(current_size=64 * MIB)


@variants("VHD-16", {"a": {"features": 0}, "b": {"creator": bytes(4)}, "c": {"geometry": bytes(4)},
                     "d": {"geometry": b"\xFF\xFF\x10\x3F"}, "e": {"time_stamp": 0},
                     "f": {"saved_state": 1}, "g": {"original_size": 2 * MIB},
                     "h": {"geometry": b"\x10\x00\xC8\x11"}})
def odd_but_harmless(folder, values):
    return dynamic(disk(folder)).footer(**values)


@case("VHD-17")
def legacy_footer(folder):
    image = fixed(disk(folder))
    return image.cut(image.end() - 1)


@case("VHD-18")
def guest_wrote_a_child(folder):
    parent = fixed(folder / "secret.vhd", salt="secret")
    inner = differencing(folder / "inner.vhd", parent, own=(0, 3), relative=".\\secret.vhd",
                         name="secret.vhd", block_size=512 * KIB)
    data = inner.path.read_bytes()
    inner.path.unlink()
    outer = fixed(disk(folder), 2 * MIB, ())
    patch(outer.path, 0, data)
    outer.content = {at // SECTOR: data[at:at + SECTOR] for at in range(0, len(data), SECTOR)
                     if any(data[at:at + SECTOR])}
    return outer


@case("VHD-19")
def polyglot(folder):
    inner = vhdx_image.dynamic(folder / "inner.vhdx")
    data = inner.path.read_bytes()
    inner.path.unlink()
    outer = fixed(disk(folder), len(data), ())
    patch(outer.path, 0, data)
    outer.content = {at // SECTOR: data[at:at + SECTOR] for at in range(0, len(data), SECTOR)
                     if any(data[at:at + SECTOR])}
    return outer


def footer_alone(kind, size):
    return vhd_writer.footer(size, kind, vhd_image.unique_id("disk"))


@variants("VHD-20", {"a": lambda: b"", "b": lambda: b"c",
                     "c": lambda: footer_alone(vhd_writer.FIXED, MIB)[:511],
                     "d": lambda: footer_alone(vhd_writer.DYNAMIC, 4 * MIB),
                     "e": lambda: footer_alone(vhd_writer.FIXED, 0),
                     "f": lambda: b"just some data\n" * 10000})
def no_image(folder, make):
    disk(folder).write_bytes(make())
    return vhd_image.VhdImage(disk(folder), 0, {}, "disk")


# The dynamic header.

@case("VHD-30")
def header_checksum(folder):
    return dynamic(disk(folder)).header(seal=False, checksum=0x12345678)


@case("VHD-31")
def header_cookie(folder):
    return dynamic(disk(folder)).header(cookie=b"cxsparsf")


@case("VHD-32")
def header_version(folder):
    return dynamic(disk(folder)).header(version=0x00090000)


@variants("VHD-33", {"a": ALL_32, "b": 0, "c": 1, "d": 1 << 29, "e": 1 << 30})
def table_entries(folder, value):
    return dynamic(disk(folder), numbers=(0,)).header(max_table_entries=value)


@variants("VHD-34", {"a": 0, "b": 1, "c": 256, "d": 3 * MIB, "e": 2 << 30, "f": 0xFFFFFE00,
                     "g": ALL_32})
def block_size(folder, value):
    return dynamic(disk(folder)).header(block_size=value)


@variants("VHD-35", {"a": 64 * MIB, "b": 1 << 63, "c": (1 << 64) - 512, "d": 0,
                     "e": HEADER_AT + 100})
def table_offset(folder, value):
    return dynamic(disk(folder)).header(table_offset=value)


def largest_with_sparse_table(folder, block_size_, fill):
    """2040 GiB; the table begins at 1 MiB and is a hole of the file, which reads as zeros."""
    image = dynamic(disk(folder), 4 * MIB, block_size_, ())
    count = LARGEST // block_size_
    resize(image.path, MIB + 4 * count + fill)
    image.append(footer_alone(vhd_writer.DYNAMIC, LARGEST))
    image.header(table_offset=MIB, max_table_entries=count)
    image.footer(current_size=LARGEST)
    return image


@case("VHD-36")
def huge_table(folder):
    return largest_with_sparse_table(folder, 512, 0)


@case("VHD-37")
def table_of_zeros(folder):
    return largest_with_sparse_table(folder, 2 * MIB, 8 * MIB)


# BAT entries.

@variants("VHD-4", {"0": 0, "1": 0x7FFFFFFF, "2": 0xFFFFFFFE, "5": 3, "6": 1})
def entry(folder, value):
    return dynamic(disk(folder)).bat(0, value)


@case("VHD-43")
def shared_block(folder):
    image = dynamic(disk(folder))
    return image.bat(1, image.bat_entry(0))


@case("VHD-44")
def overlapping_blocks(folder):
    image = dynamic(disk(folder))
    places = sorted(image.bat_entry(n) for n in (0, 3, 7))
    index = next(n for n in (0, 3, 7) if image.bat_entry(n) == places[1])
    return image.bat(index, places[0] + 1)


@case("VHD-47")
def bitmap_at_the_footer(folder):
    image = dynamic(disk(folder))
    return image.bat(0, image.end() // SECTOR - 1)


@case("VHD-48")
def cut_in_the_last_block(folder):
    image = dynamic(disk(folder))
    return image.cut(image.end() - SECTOR - 100 * KIB - 12)


@case("VHD-49")
def spare_entries_with_garbage(folder):
    image = dynamic(disk(folder))
    for index in range(8, 128):
        image.bat(index, 0x1234 * index)
    return image.header(max_table_entries=128)


@case("VHD-50")
def bitmap_of_zeros(folder):
    image = dynamic(disk(folder))
    for index in (0, 3, 7):
        patch(image.path, image.bat_entry(index) * SECTOR, bytes(SECTOR))
    return image
