"""Edits single fields of a structure in a file, as tables of {name: (offset, struct format)}."""

import struct


def patch(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def fetch(path, offset, length):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def file_size(path):
    with open(path, "rb") as file:
        return file.seek(0, 2)


def resize(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


def with_fields(data, table, values):
    """The structure's bytes with the named fields replaced."""
    data = bytearray(data)
    for name, value in values.items():
        offset, form = table[name]
        struct.pack_into(form, data, offset, value)
    return bytes(data)


def field(data, table, name):
    offset, form = table[name]
    return struct.unpack_from(form, data, offset)[0]
