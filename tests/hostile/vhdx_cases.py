"""VHDX-00 to VHDX-69: one file alone, its log clean."""

import struct
import uuid

import vhdx_image
import vhdx_writer as writer
from catalogue import case, variants
from fields import patch, resize
from vhd_image import sectors
from vhdx_image import (BAT_ENTRY, HEADERS, KIB, METADATA_ENTRY, SECTOR, differencing, dynamic)
from vhdx_writer import BAT_OFFSET, LOG_LENGTH, LOG_OFFSET, METADATA_OFFSET, MIB, PAGE

GIB, TIB = 1 << 30, 1 << 40
ALL_32 = 0xFFFFFFFF
UNKNOWN = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")


def disk(folder):
    return folder / "disk.vhdx"


@case("VHDX-00a")
def valid_dynamic(folder):
    return dynamic(disk(folder))


@case("VHDX-00b")
def valid_large_blocks(folder):
    return dynamic(disk(folder), 64 * MIB, 32 * MIB, (0, 70000, 131071))


@case("VHDX-00c")
def valid_large_sectors(folder):
    return dynamic(disk(folder), numbers=(0, 8, 15, 16383), sector=4096)


@case("VHDX-00d")
def valid_child(folder):
    return differencing(disk(folder), dynamic(folder / "parent.vhdx"))


@case("VHDX-00e")
def identical_headers(folder):
    return dynamic(disk(folder)).header(sequence=1)


# Identifier and headers. Slot 1 is the current one.

@case("VHDX-01")
def file_identifier(folder):
    image = dynamic(disk(folder))
    patch(image.path, 0, b"vhdxfilf")
    return image


@case("VHDX-02")
def both_headers_bad(folder):
    return dynamic(disk(folder)).header(seal=False, checksum=0x12345678)


@case("VHDX-03")
def newer_header_torn(folder):
    image = dynamic(disk(folder))
    patch(image.path, HEADERS[1] + 512, b"\xEE" * 512)
    return image


@case("VHDX-04")
def header_1_zeroed(folder):
    image = dynamic(disk(folder))
    patch(image.path, HEADERS[0], bytes(PAGE))
    return image


@case("VHDX-05")
def equal_numbers_different_content(folder):
    image = dynamic(disk(folder)).header(sequence=5)
    return image.header((1,), data_write=b"something else!!")


@case("VHDX-06")
def header_version_2(folder):
    return dynamic(disk(folder)).header(version=2)


@case("VHDX-07")
def log_version_1(folder):
    return dynamic(disk(folder)).header(log_version=1, log_guid=vhdx_image.LOG_GUID.bytes_le)


@case("VHDX-08")
def last_sequence_number(folder):
    return dynamic(disk(folder)).header((1,), sequence=(1 << 64) - 1)


@case("VHDX-09")
def reserved_bytes(folder):
    return dynamic(disk(folder)).header(reserved=b"\xEE" * 16)


@variants("VHDX-10", {"a": {"log_length": 0, "log_guid": vhdx_image.LOG_GUID.bytes_le},
                      "b": {"log_length": MIB + PAGE}, "c": {"log_length": (1 << 32) - MIB},
                      "d": {"log_offset": 0}, "e": {"log_offset": MIB + PAGE},
                      "f": {"log_offset": 1 << 63}, "g": {"log_offset": (1 << 64) - MIB},
                      "h": {"log_offset": METADATA_OFFSET}, "i": {"log_offset": BAT_OFFSET}})
def log_place(folder, values):
    return dynamic(disk(folder)).header(**values)


@case("VHDX-11")
def cut_in_the_headers(folder):
    return dynamic(disk(folder)).cut(100 * KIB)


@case("VHDX-12")
def cut_before_the_bat(folder):
    return dynamic(disk(folder)).cut(2 * MIB + 512 * KIB)


@case("VHDX-13")
def log_moved(folder):
    image = dynamic(disk(folder))
    end = image.end()
    return image.cut(end + MIB).header((1,), log_offset=end)


# Region tables.

@case("VHDX-20")
def both_region_tables_bad(folder):
    return dynamic(disk(folder)).regions(seal=False, checksum=0x12345678)


@case("VHDX-21")
def first_region_table_bad(folder):
    return dynamic(disk(folder)).regions((0,), seal=False, checksum=0x12345678)


@variants("VHDX-22", {"a": 2048, "b": ALL_32, "c": 0})
def region_count(folder, value):
    return dynamic(disk(folder)).regions(count=value)


@variants("VHDX-2", {"3": BAT_ENTRY, "4": METADATA_ENTRY})
def region_missing(folder, index):
    return dynamic(disk(folder)).region(index, guid=UNKNOWN.bytes_le, required=0)


@case("VHDX-25")
def bat_twice(folder):
    image = dynamic(disk(folder))
    end = image.end()
    return image.cut(end + MIB).add_regions([(writer.BAT_REGION, end, MIB, 1)])


@variants("VHDX-2", {"6": 1, "7": 0})
def unknown_region(folder, required):
    image = dynamic(disk(folder))
    end = image.end()
    return image.cut(end + MIB).add_regions([(UNKNOWN, end, MIB, required)])


@variants("VHDX-28", {"a": {"offset": GIB}, "b": {"offset": BAT_OFFSET + PAGE}, "c": {"length": 0},
                      "d": {"offset": 1 << 63}, "e": {"offset": (1 << 64) - MIB, "length": 2 * MIB},
                      "f": {"offset": METADATA_OFFSET}, "g": {"offset": 0},
                      "h": {"offset": LOG_OFFSET}, "i": {"length": (1 << 32) - MIB},
                      "j": {"length": MIB + PAGE}})
def bat_region_place(folder, values):
    return dynamic(disk(folder)).region(BAT_ENTRY, **values)


@case("VHDX-29")
def metadata_region_too_small(folder):
    return dynamic(disk(folder)).region(METADATA_ENTRY, length=4 * KIB)


@case("VHDX-30")
def region_tables_differ(folder):
    image = dynamic(disk(folder))
    end = image.end()
    table = image.cut(end + MIB).region_table()
    other = bytearray(table)
    struct.pack_into("<Q", other, 16 + 16, end)
    return image.store_region_table(bytes(other), (1,))


@case("VHDX-31")
def bat_region_of_3_gib(folder):
    image = dynamic(disk(folder))
    table = image.path.read_bytes()[BAT_OFFSET:BAT_OFFSET + PAGE]
    place = image.end()
    image.cut(place + 3 * GIB)
    patch(image.path, place, table)
    return image.region(BAT_ENTRY, offset=place, length=3 * GIB)


@case("VHDX-32")
def overlapping_regions(folder):
    image = dynamic(disk(folder))
    end = image.end()
    image.cut(end + 16 * MIB)
    return image.add_regions([(uuid.UUID(int=n + 1), end, 16 * MIB, 0) for n in range(2045)])


# Metadata.

@case("VHDX-40")
def metadata_signature(folder):
    return dynamic(disk(folder)).metadata(signature=b"metadatb")


@variants("VHDX-41", {"a": 2048, "b": 65535, "c": 0})
def metadata_count(folder, value):
    return dynamic(disk(folder)).metadata(count=value)


@variants("VHDX-4", {"2a": "parameters", "2b": "size", "2c": "logical", "2d": "physical",
                     "3": "disk_id"})
def item_missing(folder, name):
    return dynamic(disk(folder)).item_entry(name, id=UNKNOWN.bytes_le, flags=0)


@case("VHDX-44")
def size_twice(folder):
    return dynamic(disk(folder)).add_item(writer.VIRTUAL_DISK_SIZE, struct.pack("<Q", 4 * MIB), 6)


@variants("VHDX-45", {"a": {"offset": 0}, "b": {"offset": 64 * KIB - 4}, "c": {"offset": MIB},
                      "d": {"offset": MIB - 4}, "e": {"offset": ALL_32 - 3},
                      "f": {"length": ALL_32}, "g": {"length": 0}, "h": {"length": 4},
                      "i": {"length": 9}})
def item_place(folder, values):
    return dynamic(disk(folder)).item_entry("size", **values)


@case("VHDX-46")
def items_overlap(folder):
    return dynamic(disk(folder)).item_entry("physical", offset=vhdx_image.ITEMS["logical"])


@variants("VHDX-4", {"7": (b"unknown", 4), "8": (b"kept by us", 1)})
def unknown_item(folder, item):
    return dynamic(disk(folder)).add_item(UNKNOWN, *item)


@variants("VHDX-49", {"a": 0, "b": 1, "c": 512 * KIB, "d": 3 * MIB, "e": 512 * MIB, "f": ALL_32,
                      "g": 2 * GIB})
def block_size(folder, value):
    return dynamic(disk(folder)).item("parameters", struct.pack("<I", value))


@variants("VHDX-50", {"a": 0, "b": 1, "c": 513, "d": 1024, "e": 8192, "f": ALL_32, "g": 1 << 31})
def logical_sector(folder, value):
    return dynamic(disk(folder)).item("logical", struct.pack("<I", value))


@variants("VHDX-51", {"a": 0, "b": 520, "c": ALL_32})
def physical_sector(folder, value):
    return dynamic(disk(folder)).item("physical", struct.pack("<I", value))


@variants("VHDX-52", {"a": 0, "b": 1, "c": 8 * MIB + 100, "d": 65 * TIB, "e": 1 << 63,
                      "f": (1 << 64) - 512, "g": 64 * TIB})
def disk_size(folder, value):
    return dynamic(disk(folder)).item("size", struct.pack("<Q", value))


def honest_64_tib(folder, block_size_, bat_mib):
    """Data in the first and the last sector of 64 TiB; the BAT is a hole but for two entries."""
    last = 64 * TIB // SECTOR - 1
    image = dynamic(disk(folder), numbers=())
    image.content = {**sectors((0, last))}
    image.size = 64 * TIB
    bat = image.end()
    data = bat + bat_mib * MIB
    image.cut(data + 2 * block_size_)
    image.item("size", struct.pack("<Q", 64 * TIB)).item("parameters",
                                                         struct.pack("<I", block_size_))
    layout = writer.Layout(GIB, block_size_, 512, False)
    last_block = 64 * TIB // block_size_ - 1
    for block, place in ((0, data), (last_block, data + block_size_)):
        patch(image.path, bat + 8 * layout.payload_index(block), struct.pack("<Q", place | 6))
    patch(image.path, data, image.content[0])
    patch(image.path, data + 2 * block_size_ - SECTOR, image.content[last])
    return image.region(BAT_ENTRY, offset=bat, length=bat_mib * MIB)


@case("VHDX-53a")
def honest_with_small_blocks(folder):
    return honest_64_tib(folder, MIB, 513)


@case("VHDX-53b")
def honest_with_large_blocks(folder):
    return honest_64_tib(folder, 256 * MIB, 3)


@case("VHDX-54")
def parent_flag_without_locator(folder):
    return dynamic(disk(folder)).item("parameters", struct.pack("<II", MIB, 2))


@case("VHDX-55")
def locator_without_parent_flag(folder):
    dynamic(folder / "parent.vhdx", salt="secret")
    image = dynamic(disk(folder))
    locator = writer.parent_locator({"parent_linkage": "{%s}" % vhdx_image.guid(1),
                                     "relative_path": ".\\parent.vhdx"})
    return image.add_item(writer.PARENT_LOCATOR, locator, 4)


@case("VHDX-56")
def unknown_parameter_bits(folder):
    return dynamic(disk(folder)).item("parameters", struct.pack("<II", MIB, 0x80))


@case("VHDX-57")
def item_of_2_mib(folder):
    image = dynamic(disk(folder))
    end = image.end()
    region = image.path.read_bytes()[METADATA_OFFSET:METADATA_OFFSET + MIB]
    image.cut(end + 4 * MIB)
    image.add_item(UNKNOWN, b"large", 1, offset=MIB, length=2 * MIB)
    region = image.path.read_bytes()[METADATA_OFFSET:METADATA_OFFSET + MIB]
    patch(image.path, end, region)
    return image.region(METADATA_ENTRY, offset=end, length=4 * MIB)


@case("VHDX-58")
def required_flags_clear(folder):
    image = dynamic(disk(folder))
    for name in ("parameters", "size", "logical", "physical", "disk_id"):
        image.item_entry(name, flags=0 if name == "parameters" else 2)
    return image


# BAT entries.

@variants("VHDX-60", {"a": 4, "b": 5, "c": 7})
def payload_state(folder, state):
    image = dynamic(disk(folder))
    return image.bat(0, image.bat_entry(0) & ~7 | state)


@variants("VHDX-61", {"a": 0, "b": LOG_OFFSET, "c": METADATA_OFFSET, "d": BAT_OFFSET,
                      "e": 64 * MIB, "f": ((1 << 44) - 1) << 20, "g": 1 << 62})
def payload_place(folder, offset):
    return dynamic(disk(folder)).bat(0, offset | 6)


@case("VHDX-62")
def shared_block(folder):
    image = dynamic(disk(folder))
    return image.bat(1, image.bat_entry(0))


@case("VHDX-63")
def overlapping_blocks(folder):
    image = dynamic(disk(folder), 16 * MIB, 2 * MIB)
    return image.bat(1, (image.bat_entry(0) + MIB))


@case("VHDX-64")
def cut_in_a_block(folder):
    image = dynamic(disk(folder))
    return image.cut(image.end() - 600 * KIB)


@case("VHDX-65")
def reserved_entry_bits(folder):
    image = dynamic(disk(folder))
    return image.bat(0, image.bat_entry(0) | 0x8)


@variants("VHDX-6", {"6": writer.NOT_PRESENT, "7": writer.ZERO})
def offset_without_data(folder, state):
    image = dynamic(disk(folder))
    return image.bat(2, 64 * MIB | state)


def child(folder):
    return differencing(disk(folder), dynamic(folder / "parent.vhdx"))


@variants("VHDX-68", {"a": lambda image, entry: entry & ~7 | 5,
                      "b": lambda image, entry: 64 * MIB | 6,
                      "c": lambda image, entry: 0,
                      "d": lambda image, entry: image.bat_entry(0)})
def sector_bitmap(folder, change):
    image = child(folder)
    slot = image.layout.bitmap_index(0)
    entry = change(image, image.bat_entry(slot))
    return image.bat(slot, entry & ~7 | 6 if entry & 7 == 7 else entry)


@case("VHDX-69")
def odd_file_size(folder):
    return dynamic(disk(folder)).append(bytes(512))
