"""VHDX-70 to VHDX-85: dirty logs."""

import struct
import uuid

import vhdx_writer as writer
from catalogue import case, variants
from fields import fetch, patch, with_fields
from vhdx_image import HEADERS, KIB, LOG_GUID, REGION_TABLES, dynamic
from vhdx_writer import BAT_OFFSET, LOG_LENGTH, LOG_OFFSET, METADATA_OFFSET, MIB, PAGE

GARBAGE = b"\xBA\xAD" * (PAGE // 2)
TIB = 1 << 40
ENTRY = {
    "signature": (0, "4s"), "entry_length": (8, "<I"), "tail": (12, "<I"), "sequence": (16, "<Q"),
    "count": (24, "<I"), "flushed": (48, "<Q"), "last": (56, "<Q"),
    # the first descriptor
    "descriptor_sequence": (64 + 24, "<Q"),
}


def disk(folder):
    return folder / "disk.vhdx"


def changed(entry, **values):
    """The log entry with other fields, its checksum made right again."""
    return writer.seal(with_fields(entry, ENTRY, values))


def with_hidden_bat(folder):
    """An image whose BAT page in place is empty, and the true page."""
    image = dynamic(disk(folder))
    page = image.bat_page()
    patch(image.path, BAT_OFFSET, bytes(PAGE))
    return image, page


@case("VHDX-70")
def one_entry(folder):
    image, page = with_hidden_bat(folder)
    return image.log(image.entry({BAT_OFFSET: page}))


@case("VHDX-71")
def entry_around_the_end(folder):
    image, page = with_hidden_bat(folder)
    at = LOG_LENGTH - PAGE
    return image.log(image.entry({BAT_OFFSET: page}, tail=at), at=at)


@case("VHDX-72")
def torn_entry_behind_a_good_one(folder):
    image, page = with_hidden_bat(folder)
    good = image.entry({BAT_OFFSET: page})
    torn = image.entry({BAT_OFFSET: GARBAGE}, sequence=2)[:PAGE] + bytes(PAGE)
    return image.log(good, torn)


@case("VHDX-73")
def entry_of_another_log(folder):
    image, page = with_hidden_bat(folder)
    stale = image.entry({BAT_OFFSET: GARBAGE}, sequence=1000, tail=8 * KIB,
                        log_guid=uuid.UUID(int=4711))
    return image.log(image.entry({BAT_OFFSET: page}), stale)


@case("VHDX-74")
def no_entry_at_all(folder):
    return dynamic(disk(folder)).log()


@variants("VHDX-75", {"a": 1 << 63, "b": (1 << 64) - PAGE, "c": TIB, "d": 0, "e": HEADERS[0],
                      "g": LOG_OFFSET + 64 * KIB, "h": BAT_OFFSET + 100})
def page_target(folder, target):
    image = dynamic(disk(folder))
    return image.log(image.entry({target: GARBAGE}))


@case("VHDX-75f")
def region_table_target(folder):
    image = dynamic(disk(folder))
    return image.log(image.entry({REGION_TABLES[0]: fetch(image.path, REGION_TABLES[0], PAGE)}))


@variants("VHDX-76", {"a": (BAT_OFFSET, 1 << 63), "b": (4 * MIB, 16 * TIB), "c": (BAT_OFFSET, 100),
                      "d": (BAT_OFFSET, (1 << 64) - PAGE), "e": (0, 8 * MIB)})
def zeros_target(folder, zeros):
    image = dynamic(disk(folder))
    return image.log(image.entry(zeros=[zeros]))


@variants("VHDX-77", {"a": {"count": 0xFFFFFFFF}, "b": {"count": 200}, "c": {"entry_length": 0},
                      "d": {"entry_length": 100}, "e": {"entry_length": LOG_LENGTH + PAGE},
                      "f": {"entry_length": (1 << 32) - PAGE}, "g": {"tail": 100},
                      "h": {"tail": 2 * LOG_LENGTH}, "i": {"tail": 32 * KIB},
                      "j": {"descriptor_sequence": 9}, "m": {"signature": b"logf"}})
def entry_field(folder, values):
    image = dynamic(disk(folder))
    return image.log(changed(image.entry({BAT_OFFSET: image.bat_page()}), **values))


@case("VHDX-77k")
def data_sector_number(folder):
    image = dynamic(disk(folder))
    entry = bytearray(image.entry({BAT_OFFSET: image.bat_page()}))
    struct.pack_into("<I", entry, 2 * PAGE - 4, 9)
    return image.log(writer.seal(entry))


@case("VHDX-77l")
def number_zero(folder):
    image = dynamic(disk(folder))
    return image.log(image.entry({BAT_OFFSET: image.bat_page()}, sequence=0))


@case("VHDX-78")
def file_lost_its_tail(folder):
    image = dynamic(disk(folder))
    entry = image.entry({BAT_OFFSET: image.bat_page()})
    return image.log(changed(entry, flushed=image.end() + 16 * MIB, last=image.end() + 16 * MIB))


@variants("VHDX-79", {"a": 1 << 62, "b": (1 << 64) - PAGE})
def last_file_offset(folder, value):
    image = dynamic(disk(folder))
    return image.log(changed(image.entry({BAT_OFFSET: image.bat_page()}), last=value))


@case("VHDX-80")
def full_ring(folder):
    image = dynamic(disk(folder))
    count = LOG_LENGTH // PAGE
    return image.log(*[image.entry(sequence=n + 1, tail=n * PAGE) for n in range(count)])


@case("VHDX-81")
def replay_installs_a_wild_entry(folder):
    image = dynamic(disk(folder))
    page = struct.pack("<Q", 1 << 50 | writer.FULLY_PRESENT) + image.bat_page()[8:]
    return image.log(image.entry({BAT_OFFSET: page}))


@case("VHDX-82")
def replay_breaks_the_metadata(folder):
    image = dynamic(disk(folder))
    return image.log(image.entry({METADATA_OFFSET: GARBAGE}))


@case("VHDX-83")
def two_descriptor_sectors(folder):
    image, page = with_hidden_bat(folder)
    unused = METADATA_OFFSET + 256 * KIB
    pages = {unused + n * PAGE: GARBAGE for n in range(129)}
    return image.log(image.entry({**pages, BAT_OFFSET: page}))


@case("VHDX-84")
def last_entry_number(folder):
    image, page = with_hidden_bat(folder)
    return image.log(image.entry({BAT_OFFSET: page}, sequence=(1 << 64) - 2))


@case("VHDX-85")
def long_log(folder):
    image, page = with_hidden_bat(folder)
    log = image.end()
    length = 64 * MIB
    image.cut(log + length)
    with open(image.path, "r+b") as file:
        for number in range(2047):
            file.seek(log + number * PAGE)
            file.write(image.entry(sequence=number + 1)[:64])
    patch(image.path, log + 2047 * PAGE, image.entry({BAT_OFFSET: page}, sequence=2048, tail=0))
    return image.header(log_offset=log, log_length=length, log_guid=LOG_GUID.bytes_le)
