#!/usr/bin/env bash
# Installs a build into a prefix of its own and builds the consumer against it in every way that
# the README offers: find_package (static, shared), pkg-config (shared, static), add_subdirectory.
#   install_test.sh SOURCE BUILD COMPILER
set -euo pipefail
source=$1 build=$2 compiler=$3
work=$build/tests/install
prefix=$work/prefix
rm -rf "$work/prefix" "$work/run"
mkdir -p "$work"

run() {  # name, program
  mkdir -p "$work/run/$1"
  "$2" "$work/run/$1"
  echo "ok: $1"
}

cmake --install "$build" --prefix "$prefix" >/dev/null
libraries=$(dirname "$(find "$prefix" -name libvdisk.a)")
for file in "$prefix/include/vdisk/disk.h" "$libraries/libvdisk.so.0" "$prefix/bin/vdisk-tool" \
            "$libraries/cmake/vdisk/vdisk-config.cmake" "$libraries/pkgconfig/vdisk.pc"; do
  [ -e "$file" ] || { echo "not installed: $file"; exit 1; }
done
"$prefix/bin/vdisk-tool" --version

cmake -S "$source/tests/install/consumer" -B "$work/found" -G Ninja \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/found" >/dev/null
run found-static "$work/found/consumer"
run found-shared "$work/found/consumer_shared"

export PKG_CONFIG_PATH=$libraries/pkgconfig PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=0
main=$source/tests/install/consumer/main.cpp
read -ra flags < <(pkg-config --cflags vdisk)
read -ra shared < <(pkg-config --libs vdisk)
read -ra static < <(pkg-config --static --libs vdisk)
# The archive is named so that the linker does not prefer the shared library beside it.
static=("${static[@]/#-lvdisk/$libraries/libvdisk.a}")
"$compiler" -std=c++23 "${flags[@]}" "$main" "${shared[@]}" -Wl,-rpath,"$libraries" \
  -o "$work/packaged_shared"
"$compiler" -std=c++23 "${flags[@]}" "$main" "${static[@]}" -o "$work/packaged_static"
run packaged-shared "$work/packaged_shared"
run packaged-static "$work/packaged_static"

# As a part of another project: configures, builds no tests or tools, and its headers are found.
cmake -S "$source/tests/install/consumer" -B "$work/part" -G Ninja \
  -DCMAKE_CXX_COMPILER="$compiler" -DVDISK_SOURCE="$source" >/dev/null
cmake --build "$work/part" --target CMakeFiles/consumer.dir/main.cpp.o >/dev/null
echo "ok: add_subdirectory"

# What the guide tells a programmer of C to write.
guide=$source/docs/guides/embed-the-library.md
mkdir -p "$work/guide"
cp "$source/examples/create_and_merge.c" "$work/guide/program.c"
{
  printf '%s\n' 'cmake_minimum_required(VERSION 3.25)' 'project(program C)' \
    'add_executable(program program.c)'
  sed -n '/^```cmake$/,/^```$/{/^```/!p}' "$guide"
} >"$work/guide/CMakeLists.txt"
grep -q '^find_package' "$work/guide/CMakeLists.txt"
cmake -S "$work/guide" -B "$work/guide/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/guide/build" >/dev/null
run guide-cmake "$work/guide/build/program" >/dev/null
command=$(grep '^cc program.c' "$guide")
(cd "$work/guide" && eval "$command -o packaged")
export LD_LIBRARY_PATH=$libraries
run guide-pkg-config "$work/guide/packaged" >/dev/null
echo "ok: guide"
