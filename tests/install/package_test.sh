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

# A root with nothing but what the packages ask for, in the versions of this machine.
root=$work/root
mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/var/lib/dpkg/{updates,info} "$root"/{etc,dev,work}
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
touch "$root/var/lib/dpkg/status"
python3 "$source/tests/install/dependencies.py" \
  "$work"/debs/{libvdisk0,vdisk-tool,python3-vdisk}_*.deb >"$work/packages"
xargs -a "$work/packages" dpkg -L | sort -u |
  while read -r path; do [ -d "$path" ] || echo "${path#/}"; done >"$work/files"
tar -C / -c --no-recursion -T "$work/files" | tar -C "$root" -x
if ! dpkg --root="$root" --force-depends --force-not-root --force-script-chrootless \
     --log="$work/dpkg.log" --install "$work"/debs/*.deb >/dev/null 2>"$work/dpkg.err"; then
  cat "$work/dpkg.err"
  exit 1
fi

in_root() {
  if [ "$(id -u)" = 0 ]; then
    chroot "$root" "$@"
  else
    unshare --map-root-user chroot "$root" "$@"
  fi
}
in_root vdisk-tool create work/disk.vhdx --size 64M
in_root vdisk-tool check work/disk.vhdx
in_root python3 -B - <<'PYTHON'
import vdisk
with vdisk.Disk("work/disk.vhdx", writable=True) as disk:
    disk.write(0, b"x" * 512)
    assert disk.read(0, 512) == b"x" * 512
assert vdisk.check("work/disk.vhdx").wait().clean
print("python:", vdisk.__version__)
PYTHON
cd "$work"
libraries=$(dirname "$(find "$root/usr/lib" -name 'libvdisk.so.0')")
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
