#!/usr/bin/env python3
"""Prints the installed packages that Debian packages need, and those that these need, and so on.

    dependencies.py PACKAGE.deb...

Fails when one of them is not installed. Versions are not compared. The packages of the files
themselves are not printed.
"""
import re
import subprocess
import sys


def names_in(relations):
    """The alternatives of each relation, without versions and architectures."""
    for relation in relations.split(","):
        names = [re.split(r"[\s(:]", name.strip())[0] for name in relation.split("|")]
        if any(names):
            yield names


def said(*command):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def installed_packages():
    """What each package needs, and which package is meant by a name that others provide."""
    needs, providers = {}, {}
    for line in said("dpkg-query", "-W", "-f",
                     "${Package}\t${db:Status-Status}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
                     ).splitlines():
        package, state, relations, provided = line.split("\t")
        if state != "installed":
            continue
        needs[package] = relations
        providers[package] = package
        for names in names_in(provided):
            providers.setdefault(names[0], package)
    return needs, providers


def main():
    files = sys.argv[1:]
    if not files:
        sys.exit(__doc__)
    needs, providers = installed_packages()
    own = {said("dpkg-deb", "-f", file, "Package").strip() for file in files}
    waiting = [names for file in files
               for field in ("Pre-Depends", "Depends")
               for names in names_in(said("dpkg-deb", "-f", file, field))]
    found = set()
    while waiting:
        names = waiting.pop()
        if own & set(names):
            continue
        package = next((providers[name] for name in names if name in providers), None)
        if package is None:
            sys.exit(f"not installed: {' | '.join(names)}")
        if package not in found:
            found.add(package)
            waiting += names_in(needs[package])
    print("\n".join(sorted(found)))


if __name__ == "__main__":
    main()
