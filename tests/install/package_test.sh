#!/usr/bin/env bash
# Builds the Debian packages, has lintian look at them, installs them into a fresh root, and uses
# what is there.
#   package_test.sh SOURCE BUILD
set -euo pipefail
source=$1 build=$2
work=$build/tests/packages
rm -rf "$work"
mkdir -p "$work/debs"

if ! (cd "$build" && cpack -G DEB -B "$work/debs" >"$work/cpack.log" 2>&1); then
  cat "$work/cpack.log"
  exit 1
fi
for package in libvdisk0 libvdisk-dev vdisk-tool python3-vdisk; do
  compgen -G "$work/debs/${package}_*.deb" >/dev/null || { echo "not built: $package"; exit 1; }
done
lintian --allow-root --fail-on error --tag-display-limit 0 "$work"/debs/*.deb || exit 1

dpkg-deb -f "$work"/debs/libvdisk0_*.deb Depends | grep -q libc6
needed=$(dpkg-deb -f "$work"/debs/libvdisk-dev_*.deb Depends)
grep -q 'libvdisk0 (=' <<<"$needed"
# Every module that vdisk.pc asks for comes with a package that libvdisk-dev asks for.
pc=$(dpkg-deb --fsys-tarfile "$work"/debs/libvdisk-dev_*.deb | tar -xO --wildcards '*/vdisk.pc')
for module in $(sed -n 's/^Requires.*: //p' <<<"$pc"); do
  owner=$(dpkg -S "*/pkgconfig/$module.pc" | sed 's/:.*//' | sort -u)
  grep -qw -- "$owner" <<<"$needed" || { echo "libvdisk-dev does not ask for $owner"; exit 1; }
done

root=$work/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info" "$root/etc"
touch "$root/var/lib/dpkg/status"
# The root has no other packages: their files are the host's.
if ! dpkg --root="$root" --force-depends --force-not-root --force-script-chrootless \
     --log="$work/dpkg.log" --install "$work"/debs/*.deb >/dev/null 2>"$work/dpkg.err"; then
  cat "$work/dpkg.err"
  exit 1
fi

cd "$work"
"$root/usr/bin/vdisk-tool" create disk.vhdx --size 64M
"$root/usr/bin/vdisk-tool" check disk.vhdx
libraries=$(dirname "$(find "$root/usr/lib" -name 'libvdisk.so.0')")
LD_LIBRARY_PATH=$libraries PYTHONPATH=$root/usr/lib/python3/dist-packages python3 - <<'PYTHON'
import vdisk
with vdisk.Disk("disk.vhdx", writable=True) as disk:
    disk.write(0, b"x" * 512)
    assert disk.read(0, 512) == b"x" * 512
assert vdisk.check("disk.vhdx").wait().clean
print("python:", vdisk.__version__)
PYTHON
export PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
export PKG_CONFIG_SYSROOT_DIR=
read -ra flags < <(pkg-config --cflags --libs vdisk)
cc "$source/examples/create_and_merge.c" "${flags[@]}" -Wl,-rpath,"$libraries" -o example
mkdir -p run
./example run
man -l "$root"/usr/share/man/man1/vdisk-tool.1.gz >/dev/null 2>&1 ||
  man -l "$root"/usr/share/man/man1/vdisk-tool.1 >/dev/null
[ -e "$root/usr/share/bash-completion/completions/vdisk-tool" ]
echo "packages: built, checked, installed, used"
