#!/usr/bin/env python3
"""Measures us and the peers side by side and writes docs/performance.md and its chart.

    run.py --tool VDISK-TOOL --writes PEER-WRITES --work DIR [--rounds 9] [--mib 1024]
           [--only "WORDS|OTHER WORDS"] [--page docs/performance.md]
"""
import argparse
import json
import os
import subprocess
import sys

import cases
import measure
import report


def shell(command):
    subprocess.run(["bash", "-c", command], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def run_case(case, options):
    def fill(text):
        return text.replace("{tool}", options.tool).replace("{writes}", options.writes).replace(
            "{work}", options.work)
    outputs = [fill(path) for path in case.outputs]
    verify = case.verify and f"for out in {' '.join(outputs)}; do [ ! -e $out ] || " \
        f"{fill(case.verify)} || exit 1; done"
    prepare = fill(case.prepare)
    rounds = min(case.rounds or options.rounds, options.rounds)
    ratio = measure.compare(fill(case.ours), fill(case.peer), rounds=rounds, outputs=outputs,
                            prepare=prepare, verify=verify)
    judged = ratio.wall if case.judged == "wall" else max(ratio.wall, ratio.cpu)
    return {"name": case.name, "peer_name": case.peer_name, "wall": ratio.wall, "cpu": ratio.cpu,
            "ratio": judged, "control": ratio.control, "conclusive": ratio.conclusive,
            "must": case.must, "aim": case.aim, "ours_seconds": ratio.ours_seconds,
            "peer_seconds": ratio.peer_seconds,
            "counts": measure.counts(fill(case.ours), outputs=outputs, prepare=prepare),
            "peer_counts": measure.counts(fill(case.peer), outputs=outputs, prepare=prepare)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--writes", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--only", default="")
    parser.add_argument("--page")
    options = parser.parse_args()
    for name in ("tool", "writes", "work"):
        setattr(options, name, os.path.abspath(getattr(options, name)))
    os.makedirs(options.work, exist_ok=True)
    os.environ["VDISK_PEER_WRITES"] = options.writes
    cases.make_inputs(options.work, options.tool, options.mib, shell)
    rows = []
    for case in cases.all_cases(options.mib):
        if not any(word in case.name for word in options.only.split("|")):
            continue
        row = run_case(case, options)
        rows.append(row)
        print(json.dumps(row) if options.page is None else
              f"{row['ratio']:7.3f} {report.verdict(row):10} {row['name']} ({row['peer_name']})",
              flush=True)
        if options.page:  # after each case: a run that is stopped has told something
            report.write_page(options.page, rows, options.rounds, options.mib)
            report.write_chart(os.path.splitext(options.page)[0] + ".svg", rows)


if __name__ == "__main__":
    sys.exit(main())
