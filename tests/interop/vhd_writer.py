"""Writes VHD images byte by byte, as the format's specification says. Independent of libvdisk.

A layer is given as `sectors`: {sector number: 512 bytes}, what this file itself says. In a dynamic
image the other sectors of a block are zeros, in a differencing one they belong to the parent.
"""

import random
import struct

SECTOR = 512
EPOCH_2000 = 946684800
NO_OFFSET = 0xFFFFFFFFFFFFFFFF
ABSENT = 0xFFFFFFFF
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4


def checksum(data, at):
    return ~(sum(data) - sum(data[at:at + 4])) & 0xFFFFFFFF


def chs(sectors):
    """Cylinders, heads, sectors per track."""
    sectors = min(sectors, 65535 * 16 * 255)
    if sectors >= 65535 * 16 * 63:
        track, heads = 255, 16
        rest = sectors // track
    else:
        track = 17
        rest = sectors // track
        heads = max(4, (rest + 1023) // 1024)
        if rest >= heads * 1024 or heads > 16:
            track, heads = 31, 16
            rest = sectors // track
        if rest >= heads * 1024:
            track, heads = 63, 16
            rest = sectors // track
    return rest // heads, heads, track


def footer(size, kind, unique_id, creator=b"win ", original_size=None):
    cylinders, heads, track = chs(size // SECTOR)
    data = bytearray(SECTOR)
    struct.pack_into(">8sIIQI4sI4sQQHBBII16sB", data, 0, b"conectix", 2, 0x00010000,
                     NO_OFFSET if kind == FIXED else SECTOR, 700000000, creator, 0x000A0000,
                     b"Wi2k", original_size or size, size, cylinders, heads, track, kind, 0,
                     unique_id, 0)
    struct.pack_into(">I", data, 64, checksum(data, 64))
    return bytes(data)


def dynamic_header(bat_offset, entries, block_size, parent=None, locators=()):
    data = bytearray(1024)
    struct.pack_into(">8sQQIII", data, 0, b"cxsparse", NO_OFFSET, bat_offset, 0x00010000, entries,
                     block_size)
    if parent:
        struct.pack_into(">16sI", data, 40, parent["unique_id"], parent.get("time", 0))
        name = parent["name"].encode("utf-16-be")
        data[64:64 + len(name)] = name
    for slot, (code, offset, room, text) in enumerate(locators):
        struct.pack_into(">4sIIIQ", data, 576 + 24 * slot, code, room, len(text), 0, offset)
    struct.pack_into(">I", data, 36, checksum(data, 36))
    return bytes(data)


def round_up(value, unit):
    return (value + unit - 1) // unit * unit


def write_fixed(path, size, sectors, unique_id, creator=b"win "):
    with open(path, "wb") as file:
        for sector, data in sectors.items():
            file.seek(sector * SECTOR)
            file.write(data)
        file.seek(size)
        file.write(footer(size, FIXED, unique_id, creator))


def write_sparse(path, size, sectors, unique_id, *, block_size=2 << 20, parent=None, seed=1,
                 extra_blocks=(), aligned=False, creator=b"win "):
    """A dynamic image, or with `parent` {unique_id, name, relative} a differencing one. Blocks lie
    in the file in an order that the seed decides. `extra_blocks` are stored although this layer
    says nothing in them."""
    count = (size + block_size - 1) // block_size
    bat_offset = 3 * SECTOR
    bat_bytes = round_up(count * 4, SECTOR)
    end = bat_offset + bat_bytes
    locators, texts = [], []
    if parent:
        for code, text in ((b"W2ru", parent["relative"]), (b"W2ku", parent.get("absolute"))):
            if text:
                encoded = text.encode("utf-16-le")
                room = round_up(len(encoded), SECTOR)
                locators.append((code, end, room, encoded))
                texts.append((end, encoded))
                end += room
    per_block = block_size // SECTOR
    bitmap_bytes = round_up((per_block + 7) // 8, SECTOR)
    blocks = sorted({sector // per_block for sector in sectors} | set(extra_blocks))
    random.Random(seed).shuffle(blocks)
    bat = [ABSENT] * (bat_bytes // 4)
    kind = DIFFERENCING if parent else DYNAMIC
    with open(path, "wb") as file:
        for block in blocks:
            if aligned:
                end = round_up(end + bitmap_bytes, 4096) - bitmap_bytes
            bat[block] = end // SECTOR
            bitmap = bytearray(bitmap_bytes)
            for index in range(per_block):
                data = sectors.get(block * per_block + index)
                if data is not None:
                    bitmap[index // 8] |= 0x80 >> (index % 8)
                    file.seek(end + bitmap_bytes + index * SECTOR)
                    file.write(data)
            file.seek(end)
            file.write(bitmap)
            end += bitmap_bytes + block_size
        last = footer(size, kind, unique_id, creator)
        file.seek(end)
        file.write(last)
        file.seek(0)
        file.write(last)
        file.write(dynamic_header(bat_offset, count, block_size, parent, locators))
        file.write(struct.pack(f">{len(bat)}I", *bat))
        for offset, text in texts:
            file.seek(offset)
            file.write(text)
