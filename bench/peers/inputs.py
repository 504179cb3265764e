"""Seeded inputs: the same arguments give the same bytes."""
import math
import os
import random
import subprocess

MIB = 1 << 20


def mixed(path, mib, seed=1):
    """A raw disk: half holes, a quarter zeros that are written, a quarter noise."""
    size = mib * MIB
    if os.path.exists(path) and os.path.getsize(path) == size:
        return
    rng = random.Random(seed)
    with open(path, "wb", buffering=0) as file:
        file.truncate(size)
        offset = 0
        while offset < size:
            length = int(math.exp(rng.uniform(math.log(64 << 10), math.log(8 * MIB)))) & ~4095
            length = min(length, size - offset)
            kind = rng.choices(("hole", "zeros", "noise"), (50, 25, 25))[0]
            if kind == "zeros":
                os.pwrite(file.fileno(), bytes(length), offset)
            elif kind == "noise":
                os.pwrite(file.fileno(), rng.randbytes(length), offset)
            offset += length
        os.fsync(file.fileno())


def scattered(count, size, seed=2):
    """Offsets of `count` different 4 KiB pieces of a disk, shuffled."""
    return random.Random(seed).sample(range(0, size, 4096), count)


def write_list(path, count, size, seed=2):
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{offset}\n" for offset in scattered(count, size, seed))


def chain(tool, folder, depth, mib, writes=64, seed=3):
    """A VHDX of noise and `depth` children, each with scattered 4 KiB of its own; the leaf."""
    os.makedirs(folder, exist_ok=True)
    leaf = os.path.join(folder, f"layer{depth}.vhdx")
    if os.path.exists(leaf):
        return leaf
    raw = os.path.join(folder, "base.raw")
    with open(raw, "wb") as file:
        rng = random.Random(seed)
        for _ in range(mib):
            file.write(rng.randbytes(MIB))
    subprocess.run([tool, "convert", raw, os.path.join(folder, "layer0.vhdx")], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.unlink(raw)
    for number in range(1, depth + 1):
        parent = os.path.join(folder, f"layer{number - 1}.vhdx")
        child = os.path.join(folder, f"layer{number}.vhdx")
        subprocess.run([tool, "snapshot", parent, child], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        places = os.path.join(folder, "places")
        write_list(places, writes, mib * MIB, seed + number)
        subprocess.run([os.environ["VDISK_PEER_WRITES"], child, places], check=True)
    return leaf
