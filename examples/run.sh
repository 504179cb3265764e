#!/usr/bin/env bash
# Runs the built examples in scratch folders; what each claims must be there afterwards.
#   run.sh FOLDER-OF-THE-PROGRAMS
set -euo pipefail
programs=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for language in c cpp; do
  mkdir "$scratch/$language"
  "$programs/example_create_and_merge_$language" "$scratch/$language"
  [ -s "$scratch/$language/base.vhdx" ] && [ ! -e "$scratch/$language/child.vhdx" ]
done
"$programs/example_block_backend" "$scratch/c/base.vhdx"
"$programs/example_store_in_memory" | grep -q 'hello from memory, through 2 layers'
if "$programs/example_block_backend" "$scratch/none.vhdx"; then exit 1; fi
echo "the examples did what they say"
