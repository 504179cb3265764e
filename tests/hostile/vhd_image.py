"""A valid VHD whose fields are then changed one by one. Checksums are made right again after each
change unless the change is about the checksum (`seal=False`)."""

import struct

import vhd_writer
from fields import fetch, field, file_size, patch, resize, with_fields

SECTOR = 512
KIB, MIB = 1 << 10, 1 << 20
HEADER_AT = 512
BAT_AT = 1536
NO_OFFSET = vhd_writer.NO_OFFSET

FOOTER = {
    "cookie": (0, "8s"), "features": (8, ">I"), "version": (12, ">I"), "data_offset": (16, ">Q"),
    "time_stamp": (24, ">I"), "creator": (28, "4s"), "creator_version": (32, ">I"),
    "original_size": (40, ">Q"), "current_size": (48, ">Q"), "geometry": (56, "4s"),
    "disk_type": (60, ">I"), "checksum": (64, ">I"), "unique_id": (68, "16s"),
    "saved_state": (84, "B"),
}
HEADER = {
    "cookie": (0, "8s"), "data_offset": (8, ">Q"), "table_offset": (16, ">Q"),
    "version": (24, ">I"), "max_table_entries": (28, ">I"), "block_size": (32, ">I"),
    "checksum": (36, ">I"), "parent_id": (40, "16s"), "parent_time": (56, ">I"),
    "parent_name": (64, "512s"),
}
LOCATOR = {
    "code": (0, "4s"), "space": (4, ">I"), "length": (8, ">I"), "reserved": (12, ">I"),
    "offset": (16, ">Q"),
}
LOCATORS_AT = 576
LOCATOR_SIZE = 24


def some_sector(number, salt):
    """Content that tells which sector and which image it belongs to; never zero."""
    return (b"%s sector %d." % (salt.encode(), number)).ljust(64, b"#") * 8


def sectors(numbers, salt="disk"):
    return {number: some_sector(number, salt) for number in numbers}


def unique_id(text):
    return text.encode().ljust(16, b"\x11")[:16]


class VhdImage:
    def __init__(self, path, size, content, salt):
        self.path = path
        self.size = size
        self.salt = salt
        self.content = dict(content)  # what a guest reads: {sector: 512 bytes}, else zeros

    # Footers.

    def footer_places(self, where):
        end = file_size(self.path) - SECTOR
        both = [end] if self.kind() == vhd_writer.FIXED else [0, end]
        return {"both": both, "start": [0], "end": [end]}[where]

    def kind(self):
        data = fetch(self.path, file_size(self.path) - SECTOR, SECTOR)
        return field(data, FOOTER, "disk_type")

    def footer(self, where="both", seal=True, **values):
        for place in self.footer_places(where):
            data = with_fields(fetch(self.path, place, SECTOR), FOOTER, values)
            if seal:
                data = with_fields(data, FOOTER, {"checksum": vhd_writer.checksum(data, 64)})
            patch(self.path, place, data)
        return self

    def footer_bytes(self):
        return fetch(self.path, file_size(self.path) - SECTOR, SECTOR)

    # The dynamic header.

    def header(self, seal=True, **values):
        return self._store_header(with_fields(self.header_bytes(), HEADER, values), seal)

    def header_bytes(self):
        return fetch(self.path, HEADER_AT, 1024)

    def locator(self, slot, **values):
        data = self.header_bytes()
        at = LOCATORS_AT + slot * LOCATOR_SIZE
        entry = with_fields(data[at:at + LOCATOR_SIZE], LOCATOR, values)
        return self._store_header(data[:at] + entry + data[at + LOCATOR_SIZE:], True)

    def locator_offset(self, slot):
        at = LOCATORS_AT + slot * LOCATOR_SIZE
        return field(self.header_bytes()[at:at + LOCATOR_SIZE], LOCATOR, "offset")

    def locator_text(self, slot, data):
        """Stores other bytes where the locator points (its area is a sector)."""
        patch(self.path, self.locator_offset(slot), data.ljust(SECTOR, b"\0"))
        return self.locator(slot, length=len(data))

    def no_parent_name(self):
        return self.header(parent_name=bytes(512))

    def _store_header(self, data, seal):
        if seal:
            data = with_fields(data, HEADER, {"checksum": vhd_writer.checksum(data, 36)})
        patch(self.path, HEADER_AT, data)
        return self

    # The BAT.

    def bat(self, index, sector):
        patch(self.path, BAT_AT + 4 * index, struct.pack(">I", sector))
        return self

    def bat_entry(self, index):
        return struct.unpack(">I", fetch(self.path, BAT_AT + 4 * index, 4))[0]

    # The file.

    def cut(self, size):
        resize(self.path, size)
        return self

    def append(self, data):
        patch(self.path, file_size(self.path), data)
        return self

    def end(self):
        return file_size(self.path)


def fixed(path, size=MIB, numbers=(0, 1, 100, 2047), salt="disk"):
    content = sectors(numbers, salt)
    vhd_writer.write_fixed(path, size, content, unique_id(salt))
    return VhdImage(path, size, content, salt)


def dynamic(path, size=4 * MIB, block_size=512 * KIB, numbers=(0, 5, 3100, 3101, 8191),
            salt="disk", **options):
    content = sectors(numbers, salt)
    vhd_writer.write_sparse(path, size, content, unique_id(salt), block_size=block_size, **options)
    return VhdImage(path, size, content, salt)


def differencing(path, parent, own=(5, 6, 4000), salt="child", relative=".\\parent.vhd",
                 name="parent.vhd", size=None, block_size=512 * KIB):
    """A child of `parent` (a VhdImage); its content is what the chain reads."""
    content = sectors(own, salt)
    size = size or parent.size
    link = {"unique_id": unique_id(parent.salt), "name": name, "relative": relative}
    vhd_writer.write_sparse(path, size, content, unique_id(salt), block_size=block_size,
                            parent=link)
    below = {n: data for n, data in parent.content.items() if n * SECTOR < size}
    return VhdImage(path, size, {**below, **content}, salt)
