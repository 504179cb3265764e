"""Reads single places of a clean, non-differencing VHD or VHDX straight from its structures, as the
specifications say. Independent of libvdisk; for disks too large to be read as a whole."""

import os
import struct
import uuid

import vhd_writer
import vhdx_writer


class Broken(Exception):
    """A structure is not what the specification says."""


def must(condition, what):
    if not condition:
        raise Broken(what)


class Image:
    """An open file of structures."""

    def __init__(self, path):
        self.path = path

    def bytes(self, offset, length):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(length)


class VhdImage(Image):
    def __init__(self, path):
        super().__init__(path)
        end = os.path.getsize(path) - 512
        footer = self.bytes(end, 512)
        self.kind, = struct.unpack_from(">I", footer, 60)
        self.size, = struct.unpack_from(">Q", footer, 48)
        must(footer[:8] == b"conectix", "footer cookie")
        must(struct.unpack_from(">I", footer, 64)[0] == vhd_writer.checksum(footer, 64), "checksum")
        self.block_size = None
        if self.kind == vhd_writer.FIXED:
            must(end == self.size, "length of a fixed image")
            return
        must(self.bytes(0, 512) == footer, "footer copy")
        header = self.bytes(struct.unpack_from(">Q", footer, 16)[0], 1024)
        must(header[:8] == b"cxsparse", "header cookie")
        must(struct.unpack_from(">I", header, 36)[0] == vhd_writer.checksum(header, 36), "checksum")
        self.table, _, entries, self.block_size = struct.unpack_from(">QIII", header, 16)
        must(entries * self.block_size >= self.size, "table entries")

    def read(self, offset, length):
        """A range inside one block."""
        if self.kind == vhd_writer.FIXED:
            return self.bytes(offset, length)
        block, inside = divmod(offset, self.block_size)
        sector, = struct.unpack(">I", self.bytes(self.table + block * 4, 4))
        if sector == vhd_writer.ABSENT:
            return bytes(length)
        bitmap_bytes = vhd_writer.round_up((self.block_size // 512 + 7) // 8, 512)
        must((sector * 512 + bitmap_bytes) % 4096 == 0, "block data are not 4 KiB aligned")
        return self.bytes(sector * 512 + bitmap_bytes + inside, length)


class VhdxImage(Image):
    def __init__(self, path):
        super().__init__(path)
        must(self.bytes(0, 8) == b"vhdxfile", "file identifier")
        header = max((self.bytes(at, 4096) for at in (65536, 131072)), key=self.sequence_number)
        must(vhdx_writer.seal(header) == header, "header checksum")
        must(header[48:64] == bytes(16), "the log is dirty")
        regions = self.regions(192 << 10)
        must(regions == self.regions(256 << 10), "region tables differ")
        self.bat, bat_length = regions[vhdx_writer.BAT_REGION]
        metadata, _ = regions[vhdx_writer.METADATA_REGION]
        items = self.items(metadata)
        self.block_size, _ = struct.unpack("<II", items[vhdx_writer.FILE_PARAMETERS])
        self.size, = struct.unpack("<Q", items[vhdx_writer.VIRTUAL_DISK_SIZE])
        self.sector, = struct.unpack("<I", items[vhdx_writer.LOGICAL_SECTOR_SIZE])
        self.disk_id = uuid.UUID(bytes_le=items[vhdx_writer.VIRTUAL_DISK_ID])
        self.layout = vhdx_writer.Layout(self.size, self.block_size, self.sector, False)
        must(bat_length >= self.layout.entries * 8, "BAT region too small")

    @staticmethod
    def sequence_number(header):
        return struct.unpack_from("<Q", header, 8)[0]

    def regions(self, offset):
        table = self.bytes(offset, 65536)
        must(table[:4] == b"regi" and vhdx_writer.seal(table) == table, "region table")
        found = {}
        for entry in range(struct.unpack_from("<I", table, 8)[0]):
            guid, at, length, _ = struct.unpack_from("<16sQII", table, 16 + 32 * entry)
            found[uuid.UUID(bytes_le=guid)] = (at, length)
        return found

    def items(self, region):
        table = self.bytes(region, 65536)
        must(table[:8] == b"metadata", "metadata table")
        found = {}
        for entry in range(struct.unpack_from("<H", table, 10)[0]):
            guid, at, length, _ = struct.unpack_from("<16sIII", table, 32 + 32 * entry)
            found[uuid.UUID(bytes_le=guid)] = self.bytes(region + at, length)
        return found

    def read(self, offset, length):
        """A range inside one block."""
        block, inside = divmod(offset, self.block_size)
        entry, = struct.unpack("<Q", self.bytes(self.bat + self.layout.payload_index(block) * 8, 8))
        state = entry & 7
        must(entry & 0xFFFF8 == 0, "reserved bits of a BAT entry")
        if state != vhdx_writer.FULLY_PRESENT:
            absent = (vhdx_writer.NOT_PRESENT, vhdx_writer.ZERO, vhdx_writer.UNMAPPED)
            must(state in absent, "state of a BAT entry")
            must(entry >> 20 == 0, "an offset in an entry without payload")
            return bytes(length)
        return self.bytes((entry >> 20 << 20) + inside, length)


def open_image(path):
    return VhdxImage(path) if str(path).endswith("x") else VhdImage(path)
