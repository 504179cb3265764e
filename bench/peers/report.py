"""The table and the chart of docs/performance.md."""
import html
import math
import platform

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def verdict(row):
    if not row["conclusive"]:
        return "noisy"
    if row["ratio"] <= row["aim"]:
        return "aim"
    return "must" if row["ratio"] <= row["must"] else "**missed**"


def number(value):
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def table(rows):
    yield "| operation | against | wall | CPU | control | must | aim | reached | ours | counts |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        count = row["counts"]
        peer = row["peer_counts"]
        told = (f"{count['flushes']} / {peer['flushes']} flushes, "
                f"{count['writes']} / {peer['writes']} writes, "
                f"{count['calls']} / {peer['calls']} calls, "
                f"{count['memory_mib']} / {peer['memory_mib']} MiB")
        yield (f"| {row['name']} | {row['peer_name']} | {number(row['wall'])} | "
               f"{number(row['cpu'])} | {number(row['control'])} | {number(row['must'])} | "
               f"{number(row['aim'])} | {verdict(row)} | {row['ours_seconds'] * 1000:.1f} ms | "
               f"{told} |")


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, Linux {platform.release()}"


def section(rows, rounds, mib):
    lines = [BEGIN, "", f"Machine: {machine()}. {rounds} rounds, a mixed disk of {mib} MiB. "
             "Ratios are ours over the peer's, of medians; `control` is the peer over itself. "
             "Counts are ours / the peer's: system calls, and peak memory.", "",
             "![ratios](performance.svg)", "", *table(rows), "", END]
    return "\n".join(lines)


def write_page(path, rows, rounds, mib):
    with open(path, encoding="utf-8") as file:
        page = file.read()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + section(rows, rounds, mib) + after)


def write_chart(path, rows):
    """One bar for each case: the ratio on a logarithmic axis from 1/1000 to 2, with its limit."""
    left, width, height, top = 430, 420, 22, 40
    low, high = math.log10(0.001), math.log10(2)

    def x(value):
        return left + width * (math.log10(min(max(value, 0.001), 2)) - low) / (high - low)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" '
             f'height="{top + height * len(rows) + 20}" font-family="sans-serif" font-size="12">',
             '<rect width="100%" height="100%" fill="#ffffff"/>',
             f'<text x="{left}" y="16">time, ours over the peer\'s (shorter is better); '
             'the mark is the limit</text>']
    for tick in (0.001, 0.01, 0.1, 1):
        parts.append(f'<line x1="{x(tick):.1f}" y1="26" x2="{x(tick):.1f}" '
                     f'y2="{top + height * len(rows)}" stroke="#cccccc"/>')
        parts.append(f'<text x="{x(tick) + 2:.1f}" y="34" fill="#666666">{tick:g}</text>')
    for index, row in enumerate(rows):
        y = top + height * index
        colour = "#2a7f62" if row["ratio"] <= row["must"] else "#b3423a"
        label = html.escape(f"{row['name']} ({row['peer_name']})")
        parts.append(f'<text x="{left - 6}" y="{y + 14}" text-anchor="end" font-size="11">{label}'
                     '</text>')
        parts.append(f'<rect x="{left}" y="{y + 4}" width="{max(x(row["ratio"]) - left, 1):.1f}" '
                     f'height="13" fill="{colour}"/>')
        parts.append(f'<line x1="{x(row["must"]):.1f}" y1="{y + 2}" x2="{x(row["must"]):.1f}" '
                     f'y2="{y + 19}" stroke="#222222" stroke-width="2"/>')
        parts.append(f'<text x="{left + width + 10}" y="{y + 14}">{number(row["ratio"])}</text>')
    parts.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")
