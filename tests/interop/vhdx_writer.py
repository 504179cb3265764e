"""Writes VHDX images byte by byte, as the format's specification says. Independent of libvdisk.

A layer is given as `blocks`: {block number: (state, data, present)}. `data` are the block's bytes
for states 6 and 7 (None otherwise), `present` the set of the block's sectors that state 7 has.
`dirty_log` moves the true BAT and bitmap pages into the log and leaves stale pages in place.
"""

import struct
import uuid

MIB = 1 << 20
PAGE = 4096
NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED, FULLY_PRESENT, PARTIALLY_PRESENT = 0, 1, 2, 3, 6, 7
BITMAP_PRESENT = 6

BAT_REGION = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
METADATA_REGION = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
FILE_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
VIRTUAL_DISK_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
VIRTUAL_DISK_ID = uuid.UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
LOGICAL_SECTOR_SIZE = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
PHYSICAL_SECTOR_SIZE = uuid.UUID("cda348c7-445d-4471-9cc9-e9885251c556")
PARENT_LOCATOR = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
LOCATOR_TYPE_VHDX = uuid.UUID("b04aefb7-d19e-4a81-b789-25b8e9445913")

LOG_OFFSET, LOG_LENGTH = MIB, MIB
METADATA_OFFSET = 2 * MIB
BAT_OFFSET = 3 * MIB


def crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0x82F63B78 if value & 1 else value >> 1
        table.append(value)
    return table


def apply(columns, crc):
    """The matrix over GF(2), given by its 32 columns, times the register."""
    result = 0
    while crc:
        low = crc & -crc
        result ^= columns[low.bit_length() - 1]
        crc ^= low
    return result


def zero_steps(most=32):
    """For each power of two, what so many bytes of zeros do to the register."""
    one = [(1 << bit >> 8) ^ CRC_TABLE[1 << bit & 0xFF] for bit in range(32)]
    steps = [one]
    for _ in range(most):
        steps.append([apply(steps[-1], column) for column in steps[-1]])
    return steps


CRC_TABLE = crc_table()
ZERO_STEPS = zero_steps()


def crc32c(data):
    """Structures end in long runs of zeros: these are stepped over."""
    stored = bytes(data).rstrip(b"\0")
    crc = 0xFFFFFFFF
    for byte in stored:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    zeros = len(data) - len(stored)
    for power in range(zeros.bit_length()):
        if zeros >> power & 1:
            crc = apply(ZERO_STEPS[power], crc)
    return crc ^ 0xFFFFFFFF


def seal(data, at=4):
    """The structure with its CRC-32C filled in; the field itself counts as zero."""
    data = bytearray(data)
    data[at:at + 4] = bytes(4)
    struct.pack_into("<I", data, at, crc32c(data))
    return bytes(data)


def header(sequence, file_write, data_write, log_guid):
    data = bytearray(PAGE)
    struct.pack_into("<4sIQ16s16s16sHHIQ", data, 0, b"head", 0, sequence, file_write.bytes_le,
                     data_write.bytes_le, log_guid.bytes_le if log_guid else bytes(16), 0, 1,
                     LOG_LENGTH, LOG_OFFSET)
    return seal(data)


def region_table(bat_length):
    data = bytearray(64 * 1024)
    struct.pack_into("<4sIII", data, 0, b"regi", 0, 2, 0)
    struct.pack_into("<16sQII", data, 16, BAT_REGION.bytes_le, BAT_OFFSET, bat_length, 1)
    struct.pack_into("<16sQII", data, 48, METADATA_REGION.bytes_le, METADATA_OFFSET, MIB, 1)
    return seal(data)


def parent_locator(pairs):
    table = bytearray(struct.pack("<16sHH", LOCATOR_TYPE_VHDX.bytes_le, 0, len(pairs)))
    at = 20 + 12 * len(pairs)
    strings = b""
    for key, value in pairs.items():
        key, value = key.encode("utf-16-le"), value.encode("utf-16-le")
        table += struct.pack("<IIHH", at, at + len(key), len(key), len(value))
        strings += key + value
        at += len(key) + len(value)
    return bytes(table) + strings


def metadata(size, block_size, sector, physical, disk_id, locator, leave_allocated):
    flags = (1 if leave_allocated else 0) | (2 if locator else 0)
    items = [(FILE_PARAMETERS, 4, struct.pack("<II", block_size, flags)),
             (VIRTUAL_DISK_SIZE, 6, struct.pack("<Q", size)),
             (LOGICAL_SECTOR_SIZE, 6, struct.pack("<I", sector)),
             (PHYSICAL_SECTOR_SIZE, 6, struct.pack("<I", physical)),
             (VIRTUAL_DISK_ID, 6, disk_id.bytes_le)]
    if locator:
        items.append((PARENT_LOCATOR, 4, locator))
    table = bytearray(struct.pack("<8sHH20x", b"metadata", 0, len(items)))
    at = 64 * 1024
    content = b""
    for item_id, item_flags, value in items:
        table += struct.pack("<16sIIII", item_id.bytes_le, at, len(value), item_flags, 0)
        at += len(value)
        content += value
    return bytes(table).ljust(64 * 1024, b"\0") + content


def log_entry(pages, zeros, tail, sequence, guid, file_size):
    """One entry: `pages` {file offset: 4096 bytes}, `zeros` [(file offset, length)]."""
    count = len(pages) + len(zeros)
    descriptor_sectors = max(1, (64 + 32 * count + PAGE - 1) // PAGE)
    length = PAGE * (descriptor_sectors + len(pages))
    head = bytearray(descriptor_sectors * PAGE)
    struct.pack_into("<4sIIIQII16sQQ", head, 0, b"loge", 0, length, tail, sequence, count, 0,
                     guid.bytes_le, file_size, file_size)
    at = 64
    for offset, zero_length in zeros:
        struct.pack_into("<4sIQQQ", head, at, b"zero", 0, zero_length, offset, sequence)
        at += 32
    body = b""
    for offset, page in pages.items():
        struct.pack_into("<4s4s8sQQ", head, at, b"desc", page[4092:], page[:8], offset, sequence)
        at += 32
        body += struct.pack("<4sI", b"data", sequence >> 32) + page[8:4092]
        body += struct.pack("<I", sequence & 0xFFFFFFFF)
    return seal(bytes(head) + body)


def write_ring(file, ring_offset, data):
    """Writes into the log's ring; returns the offset behind it."""
    first = min(len(data), LOG_LENGTH - ring_offset)
    file.seek(LOG_OFFSET + ring_offset)
    file.write(data[:first])
    file.seek(LOG_OFFSET)
    file.write(data[first:])
    return (ring_offset + len(data)) % LOG_LENGTH


def round_up(value, unit):
    return (value + unit - 1) // unit * unit


class Layout:
    """Numbers that follow from size, block size and sector size."""

    def __init__(self, size, block_size, sector, differencing):
        self.ratio = (sector << 23) // block_size
        self.payload_blocks = (size + block_size - 1) // block_size
        self.chunks = (self.payload_blocks + self.ratio - 1) // self.ratio
        if differencing:
            self.entries = self.chunks * (self.ratio + 1)
        else:
            self.entries = self.payload_blocks + (self.payload_blocks - 1) // self.ratio
        self.bat_length = round_up(self.entries * 8, MIB)

    def payload_index(self, block):
        return block + block // self.ratio

    def bitmap_index(self, chunk):
        return (chunk + 1) * self.ratio + chunk


def write_vhdx(path, size, blocks, *, block_size=MIB, sector=512, physical=4096, data_write,
               disk_id, parent=None, order=None, anchors=None, leave_allocated=False,
               dirty_log=None):
    """`parent`: {linkage, relative, ...} makes the image differencing. `order`: in which order the
    blocks lie in the file. `anchors`: {block: file offset kept in an entry of state 1 or 3}.
    `dirty_log`: {start, stale_entries, pages_per_entry}: where in the ring the true pages begin."""
    layout = Layout(size, block_size, sector, parent is not None)
    bat = [0] * layout.entries
    end = BAT_OFFSET + layout.bat_length
    bitmaps = {}
    with open(path, "wb") as file:
        for block in order or sorted(blocks):
            state, data, present = blocks[block]
            if data is None:
                bat[layout.payload_index(block)] = state | (anchors or {}).get(block, 0)
                continue
            bat[layout.payload_index(block)] = end | state
            file.seek(end)
            file.write(data)
            end += block_size
            if state == PARTIALLY_PRESENT:
                mark_present(bitmaps, layout, block, present, block_size // sector)
        bitmap_places = {}
        for chunk, bits in bitmaps.items():
            bat[layout.bitmap_index(chunk)] = end | BITMAP_PRESENT
            bitmap_places[end] = bytes(bits)
            end += MIB
        file.truncate(end)
        pages = {}
        packed = struct.pack(f"<{len(bat)}Q", *bat)
        collect_pages(pages, BAT_OFFSET, packed)
        for place, bits in bitmap_places.items():
            collect_pages(pages, place, bits)
        log_guid = None
        if dirty_log is None:
            for offset, page in pages.items():
                file.seek(offset)
                file.write(page)
        else:
            log_guid = uuid.UUID(int=0x5EED << 96 | 7)
            write_dirty_log(file, pages, log_guid, end, **dirty_log)
        locator = None
        if parent:
            pairs = {"parent_linkage": "{%s}" % parent["linkage"]}
            pairs.update({k: v for k, v in parent.items() if k != "linkage"})
            locator = parent_locator(pairs)
        write_head(file, layout, data_write, log_guid)
        file.seek(METADATA_OFFSET)
        file.write(metadata(size, block_size, sector, physical, disk_id, locator, leave_allocated))


def mark_present(bitmaps, layout, block, present, sectors_per_block):
    chunk, first = block // layout.ratio, block % layout.ratio * sectors_per_block
    bits = bitmaps.setdefault(chunk, bytearray(MIB))
    for index in present:
        bits[(first + index) // 8] |= 1 << ((first + index) % 8)


def collect_pages(pages, offset, data):
    """Adds the 4 KiB pages of `data` that are not all zero."""
    for at in range(0, len(data), PAGE):
        page = data[at:at + PAGE].ljust(PAGE, b"\0")
        if any(page):
            pages[offset + at] = page


def write_dirty_log(file, pages, guid, file_size, start, stale_entries=0, pages_per_entry=100):
    """Stale pages in place, the truth in a sequence of entries from `start` on. The newest entry's
    tail leaves out `stale_entries` at the beginning, which hold wrong pages: who replays them
    after the newest one, or without need and without the rest, reads garbage."""
    for offset in pages:
        file.seek(offset)
        file.write(b"\xEE" * 8 + bytes(PAGE - 8))
    at, sequence = start, 0x1_FFFF_FFFE
    offsets = sorted(pages)
    for _ in range(stale_entries):
        wrong = {offset: b"\xDD" * PAGE for offset in offsets[:1]}
        at = write_ring(file, at, log_entry(wrong, [], start, sequence, guid, file_size))
        sequence += 1
    tail = at
    for first in range(0, len(offsets), pages_per_entry):
        some = {offset: pages[offset] for offset in offsets[first:first + pages_per_entry]}
        at = write_ring(file, at, log_entry(some, [], tail, sequence, guid, file_size))
        sequence += 1


def write_head(file, layout, data_write, log_guid):
    file_write = uuid.UUID(int=data_write.int ^ 0xF11E)
    file.seek(0)
    file.write(b"vhdxfile" + "hand made".encode("utf-16-le"))
    for place, sequence in ((64 * 1024, 7), (128 * 1024, 8)):
        file.seek(place)
        file.write(header(sequence, file_write, data_write, log_guid))
    table = region_table(layout.bat_length)
    for place in (192 * 1024, 256 * 1024):
        file.seek(place)
        file.write(table)
