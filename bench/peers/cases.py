"""What is compared with whom. One Case is one line of the table in docs/performance.md."""
import os
from dataclasses import dataclass

import inputs

MIB = 1 << 20


@dataclass
class Case:
    """`must` and `aim` bound the ratio of our time to the peer's; by `cpu`, that of CPU time.
    `{tool}` is vdisk-tool, `{writes}` peer_writes, `{work}` the folder of the run."""
    name: str
    ours: str
    peer: str
    peer_name: str
    must: float
    aim: float
    outputs: tuple = ()
    prepare: str = ""
    verify: str = ""
    judged: str = "wall and CPU"
    rounds: int | None = None


UNSYNCED = "eatmydata "  # both sides: flushes do nothing


def convert_cases(mib):
    raw, vhdx, vhd = f"{{work}}/mix{mib}.raw", f"{{work}}/mix{mib}.vhdx", f"{{work}}/mix{mib}.vhd"
    to_vhdx = "qemu-img convert -f raw -O vhdx"

    def case(name, ours, peer, must, aim, peer_name="qemu-img", check="{work}/out.vhdx", **more):
        verify = f"{{tool}} compare {raw} {check}" if check else ""
        return Case(name, ours, peer, peer_name, must, aim, outputs=("{work}/out.vhdx",
                    "{work}/out.vhd", "{work}/out.raw"), verify=verify, **more)
    yield case("convert raw to VHDX, unsynced",
               UNSYNCED + f"{{tool}} convert {raw} {{work}}/out.vhdx",
               f"{to_vhdx} {raw} {{work}}/out.vhdx", 0.75, 0.60)
    yield case("convert raw to VHDX, synced", f"{{tool}} convert {raw} {{work}}/out.vhdx",
               f"{to_vhdx} {raw} {{work}}/out.vhdx && sync {{work}}/out.vhdx", 0.95, 0.75,
               judged="wall")
    yield case("convert raw to dynamic VHD, unsynced",
               UNSYNCED + f"{{tool}} convert {raw} {{work}}/out.vhd",
               f"qemu-img convert -f raw -O vpc -o force_size {raw} {{work}}/out.vhd", 0.75, 0.60,
               check="{work}/out.vhd")
    yield case("convert raw to dynamic VHD, synced", f"{{tool}} convert {raw} {{work}}/out.vhd",
               f"qemu-img convert -f raw -O vpc -o force_size {raw} {{work}}/out.vhd"
               " && sync {work}/out.vhd", 0.95, 0.75, judged="wall", check="{work}/out.vhd")
    yield case("convert raw to VHDX with 1 MiB blocks, unsynced",
               UNSYNCED + f"{{tool}} convert {raw} {{work}}/out.vhdx --block-size 1M",
               f"{to_vhdx} -o block_size=1M {raw} {{work}}/out.vhdx", 0.50, 0.30)
    yield case("convert, our 1 MiB blocks against our 16 MiB blocks, unsynced",
               UNSYNCED + f"{{tool}} convert {raw} {{work}}/out.vhdx --block-size 1M",
               UNSYNCED + f"{{tool}} convert {raw} {{work}}/out.vhdx --block-size 16M", 1.1, 1.0,
               peer_name="ourselves")
    yield case("convert raw to VHDX against a sparse copy, unsynced",
               UNSYNCED + f"{{tool}} convert {raw} {{work}}/out.vhdx",
               f"cp --sparse=always {raw} {{work}}/out.vhdx", 1.15, 0.85, peer_name="cp", check="")
    for source, name in ((vhdx, "VHDX"), (vhd, "VHD")):
        kind = "vhdx" if name == "VHDX" else "vpc"
        yield case(f"convert {name} to raw, unsynced",
                   UNSYNCED + f"{{tool}} convert {source} {{work}}/out.raw",
                   f"qemu-img convert -f {kind} -O raw {source} {{work}}/out.raw", 0.80, 0.60,
                   check="{work}/out.raw")
    yield case("convert VHDX to VHD, unsynced",
               UNSYNCED + f"{{tool}} convert {vhdx} {{work}}/out.vhd",
               f"qemu-img convert -f vhdx -O vpc -o force_size {vhdx} {{work}}/out.vhd", 0.80, 0.60,
               check="{work}/out.vhd")
    yield case("convert VHD to VHDX, unsynced",
               UNSYNCED + f"{{tool}} convert {vhd} {{work}}/out.vhdx",
               f"qemu-img convert -f vpc -O vhdx {vhd} {{work}}/out.vhdx", 0.80, 0.60)
    yield case("convert VHDX to raw against 7-Zip, unsynced",
               UNSYNCED + f"{{tool}} convert {vhdx} {{work}}/out.raw",
               f"7zz x -y -so {vhdx} > {{work}}/out.raw", 0.25, 0.12, peer_name="7-Zip",
               check="{work}/out.raw",
               rounds=3)


def small_cases():
    out = ("{work}/new.img",)
    yield Case("create VHDX 64 GiB", "{tool} create {work}/new.img --format vhdx --size 64G",
               "qemu-img create -f vhdx {work}/new.img 64G", "qemu-img", 0.5, 0.25, outputs=out)
    yield Case("create VHDX 64 TiB, 1 MiB blocks",
               "{tool} create {work}/new.img --format vhdx --size 64T --block-size 1M",
               "qemu-img create -f vhdx -o block_size=1M {work}/new.img 64T", "qemu-img", 0.01,
               0.002, outputs=out, rounds=3)
    yield Case("create dynamic VHD 1 TiB", "{tool} create {work}/new.img --format vhd --size 1T",
               "qemu-img create -f vpc {work}/new.img 1T", "qemu-img", 0.03, 0.02, outputs=out)
    yield Case("info, VHDX 64 TiB, 1 MiB blocks", "{tool} info {work}/large.vhdx",
               "qemu-img info {work}/large.vhdx", "qemu-img", 0.02, 0.01, rounds=3)
    yield Case("info, VHDX 64 TiB, 1 MiB blocks", "{tool} info {work}/large.vhdx",
               "vhdiinfo {work}/large.vhdx", "vhdiinfo", 1.0, 0.6)


def engine_cases(mib):
    vhdx = f"{{work}}/mix{mib}.vhdx"
    yield Case("check VHDX", f"{{tool}} check {vhdx}", f"qemu-img check -f vhdx {vhdx}", "qemu-img",
               1.0, 0.5)
    clean = "rm -f {work}/alloc.vhdx {work}/alloc.vhd"
    for kind, peer, must in (("vhdx", "vhdx", 1 / 15), ("vhd", "vpc", 1 / 10)):
        image = f"{{work}}/alloc.{kind}"
        # -t writeback is what a guest without flushes sees; qemu-io ends with one.
        yield Case(f"1,000 x 4 KiB into absent blocks, {kind.upper()}, one flush at the end",
                   f"{{writes}} {image} {{work}}/places",
                   f"qemu-io -t writeback -f {peer} {image} < {{work}}/script", "qemu-io", must,
                   1 / 40, judged="wall",
                   prepare=f"{clean}; {{tool}} create {image} --size 64G --block-size 2M")
        yield Case(f"200 x 4 KiB into absent blocks, {kind.upper()}, a flush after each",
                   f"{{writes}} {image} {{work}}/few 1",
                   f"qemu-io -t writeback -f {peer} {image} < {{work}}/flushing", "qemu-io", 0.5,
                   0.3, judged="wall",
                   prepare=f"{clean}; {{tool}} create {image} --size 64G --block-size 2M")
    merge = "cp --sparse=always {work}/base.vhdx {work}/m.vhdx; " \
            "{tool} snapshot {work}/m.vhdx {work}/c.vhdx --block-size 2M; " \
            "{writes} {work}/c.vhdx {work}/spread; " \
            "qemu-img create -q -f qcow2 -b {work}/base.raw -F raw {work}/m.qcow2; " \
            "qemu-img create -q -f qcow2 -b {work}/m.qcow2 -F qcow2 {work}/c.qcow2; " \
            "qemu-io -f qcow2 {work}/c.qcow2 < {work}/spread.script"
    yield Case("merge 8,192 x 4 KiB over 1 GiB, VHDX",
               "{tool} merge {work}/c.vhdx", "qemu-img commit -q {work}/c.qcow2",
               "qemu-img, qcow2", 0.8, 0.4, prepare=merge,
               outputs=("{work}/m.vhdx", "{work}/c.vhdx", "{work}/m.qcow2", "{work}/c.qcow2"))
    for depth, must, aim in ((8, 2.0, 1.3), (64, 2.0, 1.3)):
        yield Case(f"read a chain of depth {depth} against depth 1",
                   f"{UNSYNCED}{{tool}} convert {{work}}/chain/layer{depth}.vhdx {{work}}/out.raw",
                   f"{UNSYNCED}{{tool}} convert {{work}}/chain/layer1.vhdx {{work}}/out.raw",
                   "ourselves", must, aim, outputs=("{work}/out.raw",))


def script(path, offsets, flush):
    with open(path, "w", encoding="ascii") as file:
        for offset in offsets:
            file.write(f"write -q -P 90 {offset} 4096\n" + ("flush\n" if flush else ""))
        if not flush:
            file.write("flush\n")


def make_inputs(work, tool, mib, run):
    """Everything that the cases read; made once for each folder."""
    inputs.mixed(f"{work}/mix{mib}.raw", mib)
    for kind in ("vhdx", "vhd"):
        if not os.path.exists(f"{work}/mix{mib}.{kind}"):
            run(f"{tool} convert {work}/mix{mib}.raw {work}/mix{mib}.{kind}")
    if not os.path.exists(f"{work}/large.vhdx"):
        run(f"{tool} create {work}/large.vhdx --size 64T --block-size 1M")
    # One in each of a thousand different blocks of 2 MiB.
    places = [page // 4096 * 2 * MIB for page in inputs.scattered(1000, 4096 * 32000)]
    with open(f"{work}/places", "w", encoding="ascii") as file:
        file.writelines(f"{offset}\n" for offset in places)
    with open(f"{work}/few", "w", encoding="ascii") as file:
        file.writelines(f"{offset}\n" for offset in places[:200])
    script(f"{work}/script", places, flush=False)
    script(f"{work}/flushing", places[:200], flush=True)
    inputs.mixed(f"{work}/base.raw", 1024, seed=5)
    if not os.path.exists(f"{work}/base.vhdx"):
        run(f"{tool} convert {work}/base.raw {work}/base.vhdx")
    spread = inputs.scattered(8192, 1 << 30)
    inputs.write_list(f"{work}/spread", 8192, 1 << 30)
    script(f"{work}/spread.script", spread, flush=False)
    inputs.chain(tool, f"{work}/chain", 64, 256)


def all_cases(mib):
    yield from small_cases()
    yield from convert_cases(mib)
    yield from engine_cases(mib)
