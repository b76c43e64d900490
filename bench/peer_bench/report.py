"""What is printed and kept: a table, JSON, and the measured part of a page with its plot."""

import datetime
import json
import os
import re

from . import servers
from .plot import plot
from .rows import LESS

MARKS = {"files": "measured", "s3": "measured-s3"}
KEPT = {"files": "peers.json", "s3": "peers-s3.json"}
HEADER = """\
| | Berth | compared with | | ratio (least to most) | bar | aim | |
| --- | ---: | --- | ---: | ---: | ---: | ---: | --- |
"""


def number(value):
    """Three figures that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def limit(value, better):
    return "" if value is None else f"{'≤' if better == LESS else '≥'} {value:g}"


def table_line(told):
    ratio = f"{number(told.ratio)} ({number(told.least)} to {number(told.most)})"
    cells = [
        f"{told.title}, {told.unit}",
        number(told.berth),
        told.against or "the bar itself",
        number(told.peer),
        ratio,
        limit(told.bar, told.better),
        limit(told.aim, told.better),
        told.verdict,
    ]
    return f"| {' | '.join(cells)} |\n"


def table(comparisons):
    return HEADER + "".join(table_line(told) for told in comparisons)


def notes(results, absent):
    lines = [f"{name}: not measured: {why}" for name, why in results.failures.items()]
    return lines + absent


def as_json(about, results, comparisons):
    return {
        "about": about,
        "rows": [told.as_dict() for told in comparisons],
        "failures": results.failures,
        "samples": results.samples,
    }


def about(options, machine, load, versions, binary):
    return {
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine,
        "load_average_before": load,
        "versions": versions,
        "binary_sha256": servers.digest_of_program(binary),
        "storage": options.storage,
        "quick": options.quick,
        "rounds": options.rounds,
        "rows": options.rows,
        "seconds": options.seconds,
    }


def measured(known):
    """The part of the page that is made: what was measured where, the plot, the table."""
    told = known["about"]
    machine = told["machine"]
    load = ", ".join(f"{value:.1f}" for value in told["load_average_before"])
    versions = "; ".join(f"{name}: {version}" for name, version in told["versions"].items())
    lines = [
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_mib'] // 1024} GiB of memory, Linux "
        f"{machine['kernel']}; {told['rounds']} rounds; load average before the run: {load}. Programs: {versions}.",
        "",
        f"All samples are in [{KEPT[told['storage']]}](results/{KEPT[told['storage']]}).",
        "",
    ]
    if told["storage"] == "files":
        lines += ["![How many times better than its bar each ratio is](performance.svg)", ""]
    return "\n".join(lines)


def replaced(page, mark, text):
    """The page with another text between the two comments of that mark."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no {begin} ... {end}")
    return pattern.sub(lambda _: f"{begin}\n{text}{end}", page, count=1)


def write_docs(docs, known, comparisons):
    """Everything that the documentation keeps of a run."""
    storage = known["about"]["storage"]
    page = docs / "performance.md"
    text = measured(known) + "\n" + table(comparisons)
    changed = replaced(page.read_text(), MARKS[storage], text)
    write(docs / "results" / KEPT[storage], json.dumps(known, indent=1) + "\n")
    if storage == "files":
        write(docs / "performance.svg", plot(comparisons))
    write(page, changed)


def write(path, text):
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)
