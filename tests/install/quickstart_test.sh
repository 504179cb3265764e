#!/usr/bin/env bash
# The README's first command, with a tool that was built before ($VDISK_TOOL); leaves nothing.
#   quickstart_test.sh SOURCE FOLDER
set -euo pipefail
source=$1 folder=$2
rm -rf "$folder"
"$source/tools/quickstart" "$folder" </dev/null
rm -rf "$folder"
