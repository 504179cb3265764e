#!/usr/bin/env bash
# Writes the API reference; a warning of doxygen, or a page that is not there, is a failure.
#   api_reference_test.sh DOXYGEN SOURCE OUTPUT
set -euo pipefail
doxygen=$1 source=$2 output=$3
rm -rf "$output"
mkdir -p "$output"
cd "$source"
{ cat docs/api/Doxyfile; echo "OUTPUT_DIRECTORY = $output"; } | "$doxygen" -
for word in vdisk_disk_reserve vdisk::Disk vdisk::MergeOptions; do
  grep -rqF "$word" "$output/html" || { echo "not in the reference: $word"; exit 1; }
done
echo "API reference: $(find "$output/html" -name '*.html' | wc -l) pages, no warning"
