#!/usr/bin/env bash
# The tool does without the shared libraries whose relocations took most of its start.
#   standalone_test.sh TOOL
set -euo pipefail
needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
echo "needed:" $needed
if ! grep -q '^libc\.so' <<<"$needed"; then
  echo "no libc among them: is this a program?"
  exit 1
fi
if grep -E '^lib(stdc\+\+|gcc_s|fmt|xxhash)\.' <<<"$needed"; then
  echo "expected none of these"
  exit 1
fi
