"""A guest's disk as a flat, sparse raw file: the model that every image is compared with.

Nothing here knows an image format. Content comes from a seeded generator, so that a failure can be
repeated with VDISK_SEED.
"""

import errno
import hashlib
import os
import random

CHUNK = 1 << 20


def random_bytes(seed, length):
    """Incompressible bytes that depend on the seed only."""
    return random.Random(seed).randbytes(length)


def data_ranges(descriptor, size):
    """The (start, end) ranges of a sparse file that are not holes."""
    ranges = []
    offset = 0
    while offset < size:
        try:
            start = os.lseek(descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            raise
        offset = os.lseek(descriptor, start, os.SEEK_HOLE)
        ranges.append((start, min(offset, size)))
    return ranges


def union(a, b):
    """Two lists of ranges as one sorted list without overlaps."""
    merged = []
    for start, end in sorted(a + b):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def first_difference(path_a, path_b):
    """Offset of the first byte in which two raw files differ, or None. Skips common holes."""
    size = os.path.getsize(path_a)
    if size != os.path.getsize(path_b):
        return min(size, os.path.getsize(path_b))
    with open(path_a, "rb", buffering=0) as a, open(path_b, "rb", buffering=0) as b:
        ranges = union(data_ranges(a.fileno(), size), data_ranges(b.fileno(), size))
        for start, end in ranges:
            for offset in range(start, end, CHUNK):
                length = min(CHUNK, end - offset)
                left = os.pread(a.fileno(), length, offset)
                right = os.pread(b.fileno(), length, offset)
                if left != right:
                    return offset + next(i for i in range(length) if left[i] != right[i])
    return None


class Flat:
    """A raw file that the test changes with its own code."""

    def __init__(self, path, size):
        self.path = str(path)
        with open(self.path, "wb") as file:
            file.truncate(size)

    @property
    def size(self):
        return os.path.getsize(self.path)

    def write(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def zero(self, offset, length):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            while length:
                step = min(length, CHUNK)
                file.write(bytes(step))
                length -= step

    def read(self, offset, length):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def resize(self, size):
        os.truncate(self.path, size)

    def copy_to(self, path):
        """Another flat file of the same content."""
        other = Flat(path, self.size)
        with open(self.path, "rb", buffering=0) as file:
            for start, end in data_ranges(file.fileno(), self.size):
                for offset in range(start, end, CHUNK):
                    other.write(offset, os.pread(file.fileno(), min(CHUNK, end - offset), offset))
        return other

    def sha256(self):
        digest = hashlib.sha256()
        with open(self.path, "rb") as file:
            while block := file.read(CHUNK):
                digest.update(block)
        return digest.hexdigest()
