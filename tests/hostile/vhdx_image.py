"""A valid VHDX whose fields are then changed one by one. Checksums are made right again after each
change unless the change is about the checksum (`seal=False`)."""

import struct
import uuid

import vhdx_writer as writer
from fields import fetch, field, file_size, patch, resize, with_fields
from vhd_image import sectors
from vhdx_writer import BAT_OFFSET, LOG_LENGTH, LOG_OFFSET, METADATA_OFFSET, MIB, PAGE

SECTOR = 512
KIB = 1 << 10
HEADERS = (64 * KIB, 128 * KIB)
REGION_TABLES = (192 * KIB, 256 * KIB)
REGION_TABLE_SIZE = 64 * KIB
BAT_ENTRY, METADATA_ENTRY = 0, 1  # of the region table
LOG_GUID = uuid.UUID(int=0x5EED << 96 | 9)
# Where the writer puts the items, counted from the region.
ITEMS = {"parameters": 64 * KIB, "size": 64 * KIB + 8, "logical": 64 * KIB + 16,
         "physical": 64 * KIB + 20, "disk_id": 64 * KIB + 24, "locator": 64 * KIB + 40}
ITEM_INDEX = {name: index for index, name in enumerate(ITEMS)}

HEADER = {
    "signature": (0, "4s"), "checksum": (4, "<I"), "sequence": (8, "<Q"),
    "file_write": (16, "16s"), "data_write": (32, "16s"), "log_guid": (48, "16s"),
    "log_version": (64, "<H"), "version": (66, "<H"), "log_length": (68, "<I"),
    "log_offset": (72, "<Q"), "reserved": (80, "16s"),
}
REGION_TABLE = {"signature": (0, "4s"), "checksum": (4, "<I"), "count": (8, "<I")}
REGION_ENTRY = {"guid": (0, "16s"), "offset": (16, "<Q"), "length": (24, "<I"),
                "required": (28, "<I")}
METADATA_TABLE = {"signature": (0, "8s"), "count": (10, "<H")}
ITEM_ENTRY = {"id": (0, "16s"), "offset": (16, "<I"), "length": (20, "<I"), "flags": (24, "<I")}


def guid(number):
    return uuid.UUID(int=0xC0FFEE << 96 | number)


class VhdxImage:
    def __init__(self, path, size, content, layout, data_write):
        self.path = path
        self.size = size
        self.content = dict(content)  # what a guest reads: {sector: 512 bytes}, else zeros
        self.layout = layout
        self.data_write = data_write

    # Headers: slot 1 is the current one.

    def header(self, slots=(0, 1), seal=True, **values):
        for slot in slots:
            data = with_fields(fetch(self.path, HEADERS[slot], PAGE), HEADER, values)
            patch(self.path, HEADERS[slot], writer.seal(data) if seal else data)
        return self

    # Region tables.

    def regions(self, copies=(0, 1), seal=True, **values):
        for copy in copies:
            data = self.region_table(copy)
            self.store_region_table(with_fields(data, REGION_TABLE, values), (copy,), seal)
        return self

    def region_table(self, copy=0):
        return fetch(self.path, REGION_TABLES[copy], REGION_TABLE_SIZE)

    def store_region_table(self, data, copies=(0, 1), seal=True):
        data = writer.seal(data) if seal else data
        for copy in copies:
            patch(self.path, REGION_TABLES[copy], data)
        return self

    def region(self, index, **values):
        """Changes entry `index`; the count stays as it is."""
        data = self.region_table()
        at = 16 + 32 * index
        entry = with_fields(data[at:at + 32], REGION_ENTRY, values)
        return self.store_region_table(data[:at] + entry + data[at + 32:])

    def add_regions(self, entries):
        """Appends (guid, offset, length, required) entries."""
        data = bytearray(self.region_table())
        count = field(data, REGION_TABLE, "count")
        for number, (name, offset, length, required) in enumerate(entries, count):
            struct.pack_into("<16sQII", data, 16 + 32 * number, name.bytes_le, offset, length,
                             required)
        return self.store_region_table(with_fields(data, REGION_TABLE,
                                                   {"count": count + len(entries)}))

    # Metadata.

    def metadata(self, **values):
        data = fetch(self.path, METADATA_OFFSET, 32)
        patch(self.path, METADATA_OFFSET, with_fields(data, METADATA_TABLE, values))
        return self

    def item_entry(self, name, **values):
        at = METADATA_OFFSET + 32 + 32 * ITEM_INDEX[name]
        patch(self.path, at, with_fields(fetch(self.path, at, 32), ITEM_ENTRY, values))
        return self

    def add_item(self, item_id, data, flags, offset=512 * KIB, length=None):
        count = field(fetch(self.path, METADATA_OFFSET, 32), METADATA_TABLE, "count")
        entry = struct.pack("<16sIIII", item_id.bytes_le, offset,
                            len(data) if length is None else length, flags, 0)
        patch(self.path, METADATA_OFFSET + 32 + 32 * count, entry)
        patch(self.path, METADATA_OFFSET + offset, data)
        return self.metadata(count=count + 1)

    def item(self, name, data):
        patch(self.path, METADATA_OFFSET + ITEMS[name], data)
        return self

    # The BAT.

    def bat(self, index, entry):
        patch(self.path, BAT_OFFSET + 8 * index, struct.pack("<Q", entry))
        return self

    def bat_entry(self, index):
        return struct.unpack("<Q", fetch(self.path, BAT_OFFSET + 8 * index, 8))[0]

    # The log.

    def log(self, *entries, at=0, **header):
        """Writes entries one after the other into the ring and makes the log dirty."""
        with open(self.path, "r+b") as file:
            for entry in entries:
                at = writer.write_ring(file, at, entry)
        return self.header(log_guid=LOG_GUID.bytes_le, **header)

    def entry(self, pages=None, zeros=(), sequence=1, tail=0, log_guid=LOG_GUID, file_end=None):
        end = self.end() if file_end is None else file_end
        return writer.log_entry(pages or {}, list(zeros), tail, sequence, log_guid, end)

    def bat_page(self):
        return fetch(self.path, BAT_OFFSET, PAGE)

    # The file.

    def cut(self, size):
        resize(self.path, size)
        return self

    def append(self, data):
        patch(self.path, file_size(self.path), data)
        return self

    def end(self):
        return file_size(self.path)


def blocks_of(content, block_size, state):
    """The writer's blocks that hold some sectors, without their bytes: holes until filled."""
    per_block = block_size // SECTOR
    blocks = {}
    for number in content:
        blocks.setdefault(number // per_block, (state, b"", set()))[2].add(number % per_block)
    return blocks


def fill(image, content, block_size):
    for number, data in content.items():
        block, inside = divmod(number * SECTOR, block_size)
        place = image.bat_entry(image.layout.payload_index(block)) & ~0xFFFFF
        patch(image.path, place + inside, data)
    return image


def dynamic(path, size=8 * MIB, block_size=MIB, numbers=(0, 9, 2048, 6200, 16383), salt="disk",
            sector=512, **options):
    content = sectors(numbers, salt)
    data_write = guid(sum(salt.encode()))
    blocks = blocks_of(content, block_size, writer.FULLY_PRESENT)
    writer.write_vhdx(path, size, blocks, block_size=block_size, sector=sector,
                      data_write=data_write, disk_id=guid(77), **options)
    layout = writer.Layout(size, block_size, sector, False)
    return fill(VhdxImage(path, size, content, layout, data_write), content, block_size)


def differencing(path, parent, own=(9, 10, 4096), salt="child", size=None, block_size=MIB,
                 linkage=None, paths=None, **options):
    """A child of `parent` (a VhdxImage) whose blocks are partially present; its content is what
    the chain reads."""
    content = sectors(own, salt)
    size = size or parent.size
    blocks = blocks_of(content, block_size, writer.PARTIALLY_PRESENT)
    link = {"linkage": linkage or parent.data_write}
    link.update({"relative_path": ".\\parent.vhdx"} if paths is None else paths)
    data_write = guid(sum(salt.encode()))
    writer.write_vhdx(path, size, blocks, block_size=block_size, data_write=data_write,
                      disk_id=guid(77), parent=link, **options)
    below = {n: data for n, data in parent.content.items() if n * SECTOR < size}
    layout = writer.Layout(size, block_size, 512, True)
    image = VhdxImage(path, size, {**below, **content}, layout, data_write)
    return fill(image, content, block_size)
