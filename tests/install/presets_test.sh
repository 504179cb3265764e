#!/usr/bin/env bash
# Every preset can be configured: those that a run of the tests does not build are not forgotten.
#   presets_test.sh SOURCE OUTPUT
set -euo pipefail
source=$1 output=$2
presets=(release asan tsan bench)
if command -v clang++-19 >/dev/null; then presets+=(fuzz); fi
rm -rf "$output"
mkdir -p "$output"
cd "$source"
for preset in "${presets[@]}"; do
  if ! cmake --preset "$preset" -B "$output/$preset" >"$output/$preset.log" 2>&1; then
    cat "$output/$preset.log"
    echo "cannot be configured: preset $preset"
    exit 1
  fi
done
echo "configured: ${presets[*]}"
