#!/usr/bin/env python3
"""Corpora of the fuzz targets are text, so that a change of them can be read: one line for each
input, its name and its bytes in base64; `#` begins a comment.

    corpus.py unpack CORPUS.txt FOLDER   one file for each input, as libFuzzer reads them
    corpus.py pack FOLDER CORPUS.txt     adds the files of the folder that the corpus does not hold
"""
import base64
import os
import sys


def read(path):
    """Bytes of each input by its name, and the comments."""
    inputs, comments = {}, []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            if line.startswith("#"):
                comments.append(line)
            elif line.strip():
                name, _, text = line.strip().partition(" ")
                inputs[name] = base64.b64decode(text, validate=True)
    return inputs, comments


def unpack(corpus, folder):
    inputs, _ = read(corpus)
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.remove(os.path.join(folder, name))
    for name, data in inputs.items():
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)


def pack(folder, corpus):
    inputs, comments = read(corpus) if os.path.exists(corpus) else ({}, [])
    held = set(inputs.values())
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        if data not in held:
            held.add(data)
            inputs[name[:12] if len(name) == 40 else name] = data
    with open(corpus, "w", encoding="ascii") as out:
        out.writelines(comments)
        for name in sorted(inputs):
            out.write(f"{name} {base64.b64encode(inputs[name]).decode()}\n")


if __name__ == "__main__":
    actions = {"unpack": unpack, "pack": pack}
    if len(sys.argv) != 4 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]](sys.argv[2], sys.argv[3])
