"""VHD-60 to VHD-77: children and what they say about their parents."""

import vhd_image
import vhdx_image
from catalogue import case, variants
from vhd_image import KIB, MIB, differencing, dynamic, fixed

RELATIVE = 0  # the slot in which the writer puts W2ru


def disk(folder):
    return folder / "disk.vhd"


def parent(folder, **options):
    return dynamic(folder / "parent.vhd", **options)


def child(folder, **options):
    return differencing(disk(folder), parent(folder), **options)


@case("VHD-60")
def missing(folder):
    image = child(folder)
    (folder / "parent.vhd").unlink()
    return image


@case("VHD-61")
def other_identity(folder):
    return child(folder).header(parent_id=b"another identity")


@case("VHD-62")
def older_than_the_parent(folder):
    return child(folder).header(parent_time=1000)


def without_other_ways(image):
    """The locator alone leads to the parent."""
    return image.no_parent_name()


@variants("VHD-63", {"a": {"offset": 64 * MIB}, "b": {"offset": (1 << 64) - 8},
                     "c": {"length": 0xFFFFFFFF}, "d": {"length": 0}, "f": {"offset": 1536}})
def locator_place(folder, values):
    return without_other_ways(child(folder)).locator(RELATIVE, **values)


@case("VHD-63e")
def locator_longer_than_its_space(folder):
    return without_other_ways(child(folder)).locator(RELATIVE, space=4)


@case("VHD-64")
def locator_of_odd_length(folder):
    text = ".\\parent.vhd".encode("utf-16-le")
    return without_other_ways(child(folder)).locator_text(RELATIVE, text[:-1])


def utf16(text):
    return text.encode("utf-16-le", "surrogatepass")


@case("VHD-65")
def lone_surrogates(folder):
    image = without_other_ways(child(folder))
    return image.locator_text(RELATIVE, utf16(".\\\ud800parent\udc00.vhd"))


@case("VHD-66")
def embedded_nul(folder):
    image = without_other_ways(child(folder))
    return image.locator_text(RELATIVE, utf16(".\\parent.vhd\0.txt"))


@variants("VHD-67", {"a": "/etc/passwd", "b": "..\\..\\..\\..\\etc\\passwd",
                     "c": "\\\\server\\share\\parent.vhd", "d": "\\\\.\\PhysicalDrive0",
                     "e": "C:\\images\\parent.vhd", "f": "http://example.org/parent.vhd",
                     "g": "/dev/zero", "h": "/proc/self/mem", "i": "nbd:localhost:10809",
                     "j": "\0"})
def forbidden_path(folder, text):
    return without_other_ways(child(folder)).locator_text(RELATIVE, utf16(text))


@case("VHD-68")
def its_own_parent(folder):
    image = child(folder, relative=".\\disk.vhd", name="disk.vhd")
    return image.header(parent_id=vhd_image.unique_id("child"))


@case("VHD-69")
def two_in_a_circle(folder):
    other = child(folder, relative=".\\disk.vhd", name="disk.vhd", salt="other")
    (folder / "parent.vhd").unlink()
    other.path.rename(folder / "other.vhd")
    other.path = folder / "other.vhd"
    other.header(parent_id=vhd_image.unique_id("child"))
    return differencing(disk(folder), other, relative=".\\other.vhd", name="other.vhd")


@case("VHD-70")
def chain_of_300(folder):
    image = fixed(folder / "layer0.vhd", 64 * KIB, (0,), salt="layer0")
    for number in range(1, 300):
        image = differencing(folder / f"layer{number}.vhd", image, own=(), salt=f"layer{number}",
                             relative=f".\\layer{number - 1}.vhd", name=f"layer{number - 1}.vhd",
                             block_size=64 * KIB)
    return image


@case("VHD-71")
def smaller_parent(folder):
    small = parent(folder, size=2 * MIB, numbers=(0, 7, 4095))
    return differencing(disk(folder), small, own=(5, 6, 8000), size=4 * MIB)


@case("VHD-72")
def larger_parent(folder):
    large = parent(folder, size=8 * MIB, numbers=(0, 7, 16000))
    return differencing(disk(folder), large, size=4 * MIB)


@case("VHD-73")
def corrupt_parent(folder):
    image = child(folder)
    vhd_image.VhdImage(folder / "parent.vhd", 0, {}, "disk").footer(seal=False, checksum=1)
    return image


@case("VHD-74")
def parent_of_another_format(folder):
    image = child(folder)
    (folder / "parent.vhd").unlink()
    vhdx_image.dynamic(folder / "parent.vhd")
    return image


@case("VHD-75")
def no_way_to_the_parent(folder):
    return child(folder, relative=None, name="")


@case("VHD-76")
def stray_parent_fields(folder):
    parent(folder, salt="secret")
    image = dynamic(disk(folder))
    return image.header(parent_id=vhd_image.unique_id("secret"), parent_time=5,
                        parent_name="parent.vhd".encode("utf-16-be").ljust(512, b"\0"))


@case("VHD-77")
def nothing_but_unknown_locators(folder):
    image = child(folder)
    offset = image.locator_offset(RELATIVE)
    for slot in range(8):
        image.locator(slot, code=b"What", space=512, length=24, offset=offset)
    return image.header(parent_name="n!".encode("utf-16-be") * 128)
