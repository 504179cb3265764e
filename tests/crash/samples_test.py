"""Reads recovered images with qemu-img: another reader must see what ours sees.

Usage: samples_test.py FOLDER, which crash_machine --samples=FOLDER has filled; it is removed.
"""
import pathlib
import shutil
import subprocess
import sys


def run(*arguments):
    done = subprocess.run(["qemu-img", *arguments], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def options_of(image):
    if image.suffix == ".vhd":  # CurrentSize is the size, not the geometry
        return f"driver=vpc,force_size_calc=current_size,file.filename={image}"
    return f"driver=vhdx,file.filename={image}"


def complaints(image):
    raw = f"driver=raw,file.filename={image}.raw"
    code, text = run("compare", "--image-opts", options_of(image), raw)
    if code != 0:
        yield f"{image.name}: {text}"
    if image.suffix == ".vhdx":
        code, text = run("check", "--image-opts", options_of(image))
        if code != 0:
            yield f"{image.name}: {text}"


def main():
    folder = pathlib.Path(sys.argv[1])
    images = sorted(path for path in folder.iterdir() if path.suffix in (".vhd", ".vhdx"))
    if not images:
        print("no samples")
        return 1
    if shutil.which("qemu-img") is None:
        print("qemu-img is not installed; tools/test installs what the tests need")
        return 1
    found = [text for image in images for text in complaints(image)]
    print("\n".join(found))
    print(f"{len(images)} recovered images read by qemu-img, {len(found)} complaints")
    if not found:
        shutil.rmtree(folder)
    return 1 if found else 0


sys.exit(main())
