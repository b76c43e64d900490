"""What is told: figures of the phases, whom they are compared with, and the bars."""

import math
import statistics
from dataclasses import asdict, dataclass, field

from .servers import BERTH, NGINX, V2, V3

CPU = "CPU s/GiB"
SPEED = "GiB/s"
PER_SECOND = "1/s"
LESS = "less"
MORE = "more"
# Arms of a phase that are no other server.
SHA256 = "sha256 alone"
ONE_PUT = "berth (one PUT)"
FEWER_TAGS = "berth (fewer tags)"
NO_GARBAGE = "berth (not collecting)"
SILENT = "berth (no logs, no metrics)"
UNRECORDED = "berth (reads not recorded)"
ADMINISTRATOR = "berth (as the administrator)"
MANIFESTS = "berth (their manifests)"
ONE_MANIFEST = "berth (one of their manifests)"
REDIRECT = " (redirecting)"
# No other: the figure itself is held against the bar.
NOBODY = ""
# What nobody set a bar for is told and not judged.
NO_BAR = (None, None)


@dataclass(frozen=True)
class Row:
    """A figure of a phase; `bars` has bar and aim by whom Berth is compared with."""

    name: str
    phase: str
    figure: str
    unit: str
    better: str
    title: str
    bars: dict[str, tuple[float, float]] = field(default_factory=dict)
    subject: str = BERTH


def manifests(kind, title, connections):
    bars = {V2: (12, 18), V3: (3, 5)}
    what = f"manifests by {title}, {connections} connections"
    return Row(f"{kind}-{connections}", f"{kind}-{connections}", "rate", PER_SECOND, MORE, what, bars)


def slowest_manifests(kind, title):
    what = f"manifests by {title}, 64 connections: p99"
    return Row(f"{kind}-64-p99", f"{kind}-64", "p99_ms", "ms", LESS, what, {V2: (0.05, 0.03)})


FILES = [
    Row("pull-many", "pull-many", "cpu_per_gib", CPU, LESS, "pull of a large blob, 8 clients", {NGINX: (1.0, 0.85)}),
    Row("pull-one", "pull-one", "gib_per_second", SPEED, MORE, "pull of a large blob, one curl", {NGINX: (1.0, 1.5)}),
    Row("push", "push", "cpu_per_gib", CPU, LESS, "push of a large blob, POST and PUT", {SHA256: (2.7, 2.2)}),
    Row("push-chunks", "push-chunks", "gib_per_second", SPEED, MORE, "push in chunks by PATCH", {ONE_PUT: (0.95, 1.0)}),
    manifests("tag", "tag", 16),
    manifests("tag", "tag", 64),
    manifests("digest", "digest", 16),
    manifests("digest", "digest", 64),
    slowest_manifests("tag", "tag"),
    slowest_manifests("digest", "digest"),
    Row("small-blobs", "small-blobs", "rate", PER_SECOND, MORE, "blobs of 10 KiB, 16 connections", {V2: (25, 40)}),
    Row(
        "small-blobs-memory",
        "small-blobs-64",
        "peak_mib",
        "MiB",
        LESS,
        "most memory while 64 connections get blobs of 10 KiB",
        {NOBODY: (80, 40)},
    ),
    Row("images", "images", "rate", PER_SECOND, MORE, "pushes of small images, 16 clients", {V2: (6, 12), V3: (4, 8)}),
    Row("images-flushes", "images", "flushes", "per image", LESS, "disk flushes for a small image", {NOBODY: (2, 0.5)}),
    Row("tags", "tags", "rate", PER_SECOND, MORE, "100 tags from the middle of many, one connection", {V2: (40, 80)}),
    Row("tags-flat", "tags-flat", "rate", PER_SECOND, MORE, "the same among a million", {FEWER_TAGS: (0.9, 0.95)}),
    Row(
        "describe-images",
        "describe-images",
        "rate",
        PER_SECOND,
        MORE,
        "images described by ECR's API, 16 connections",
        {MANIFESTS: (0.35, 0.5)},
    ),
    Row("describe-images-cpu", "describe-images", "cpu_us", "us", LESS, "the same: CPU time of a request"),
    Row(
        "describe-page",
        "describe-page",
        "p50_ms",
        "ms",
        LESS,
        "1,000 images from the middle of 100,000 described by ECR's API, one connection",
        {NOBODY: (30, 15)},
    ),
    Row("gc-pulls", "gc", "pull_p99_ms", "ms", LESS, "p99 of pulls while garbage goes", {NO_GARBAGE: (1.5, 1.1)}),
    Row("gc-pushes", "gc", "push_p99_ms", "ms", LESS, "p99 of pushes while garbage goes", {NO_GARBAGE: (1.5, 1.1)}),
    Row("tls", "tls", "cpu_per_gib", CPU, LESS, "pull over TLS, 8 curls", {NGINX: (1.3, 1.0)}),
    Row("watching", "watching", "rate", PER_SECOND, MORE, "manifests, with logs and metrics", {SILENT: (0.95, 0.98)}),
    Row(
        "manifests-recorded",
        "recorded",
        "rate",
        PER_SECOND,
        MORE,
        "manifests, with reads on record",
        {UNRECORDED: (0.85, 0.95)},
    ),
    Row(
        "policies",
        "policies",
        "cpu_us",
        "us",
        LESS,
        "manifests by tag, to a user with 10 policies of 20 statements",
        {ADMINISTRATOR: (1.3, 1.1)},
    ),
    Row("memory", "memory", "resident_mib", "MiB", LESS, "memory between loads"),
]
S3 = [
    Row("pull-many", "pull-many", "cpu_per_gib", CPU, LESS, "pull of a large blob, 8 clients"),
    Row("pull-many-rate", "pull-many", "gib_per_second", SPEED, MORE, "pull of a large blob, 8 clients"),
    Row("pull-one", "pull-one", "gib_per_second", SPEED, MORE, "pull of a large blob, one curl"),
    Row("push", "push", "cpu_per_gib", CPU, LESS, "push of a large blob, POST and PUT"),
    Row("push-rate", "push", "gib_per_second", SPEED, MORE, "push of a large blob, POST and PUT"),
    Row("push-chunks", "push-chunks", "gib_per_second", SPEED, MORE, "push in chunks by PATCH", {ONE_PUT: NO_BAR}),
    Row("tag-16", "tag-16", "rate", PER_SECOND, MORE, "manifests by tag, 16 connections"),
    Row("tag-64", "tag-64", "rate", PER_SECOND, MORE, "manifests by tag, 64 connections"),
    Row("digest-16", "digest-16", "rate", PER_SECOND, MORE, "manifests by digest, 16 connections"),
    Row("digest-64", "digest-64", "rate", PER_SECOND, MORE, "manifests by digest, 64 connections"),
    Row("small-blobs", "small-blobs", "rate", PER_SECOND, MORE, "blobs of 10 KiB, 16 connections"),
    Row(
        "pull-redirected",
        "pull-redirected",
        "gib_per_second",
        SPEED,
        MORE,
        "pull of a large blob from the bucket, 8 curls",
        {},
        BERTH + REDIRECT,
    ),
    Row("redirects", "redirects", "rate", PER_SECOND, MORE, "pulls sent to the bucket", {}, BERTH + REDIRECT),
    Row("images", "images", "rate", PER_SECOND, MORE, "pushes of small images, 16 clients"),
    Row("tags", "tags", "rate", PER_SECOND, MORE, "100 tags from the middle of many, one connection"),
    Row("memory", "memory", "resident_mib", "MiB", LESS, "memory between loads"),
]
ROWS = {"files": FILES, "s3": S3}


def chosen(storage, names):
    """The rows that were asked for, by their own name or by their phase's; all of them without a name."""
    rows = ROWS[storage]
    unknown = set(names) - {row.name for row in rows} - {row.phase for row in rows}
    if unknown:
        known = ", ".join(row.name for row in rows)
        raise ValueError(f"no such row: {', '.join(sorted(unknown))}; there are {known}")
    return [row for row in rows if not names or row.name in names or row.phase in names]


@dataclass(frozen=True)
class Comparison:
    """A row with what was measured. Where it is compared with nobody, the ratio is the figure itself."""

    row: str
    title: str
    unit: str
    better: str
    against: str
    berth: float
    peer: float | None
    ratio: float
    least: float
    most: float
    bar: float | None
    aim: float | None
    verdict: str

    def as_dict(self):
        return asdict(self)


def ratios(ours, theirs):
    """Round by round: what disturbed a round disturbed both."""
    return [mine / other if other else math.inf for mine, other in zip(ours, theirs, strict=True)]


def reaches(value, limit, better):
    return value <= limit if better == LESS else value >= limit


def verdict(ratio, bar, aim, better):
    if bar is None:
        return ""
    if reaches(ratio, aim, better):
        return "aim"
    return "bar" if reaches(ratio, bar, better) else "MISSED"


def times_better(ratio, bar, better):
    """How often the bar was reached: 1 is just so."""
    better_by = (bar, ratio) if better == LESS else (ratio, bar)
    return better_by[0] / better_by[1] if better_by[1] else math.inf


def comparisons(row, samples):
    """Those with a bar first, then what else the phase measured."""
    if row.subject not in samples:
        return []
    others = [arm for arm in samples if arm != row.subject and arm not in row.bars]
    told = [arm for arm in row.bars if arm == NOBODY or arm in samples]
    # Whoever has no such figure, such as openssl's speed, has nothing to tell here.
    others = [arm for arm in others if row.figure in samples[arm][0]]
    return [compare(row, arm, samples) for arm in told + others]


def compare(row, against, samples):
    ours = [sample[row.figure] for sample in samples[row.subject]]
    theirs = [sample[row.figure] for sample in samples[against]] if against else None
    each = ratios(ours, theirs) if theirs else ours
    ratio = statistics.median(each)
    bar, aim = row.bars.get(against, NO_BAR)
    return Comparison(
        row=row.name,
        title=row.title,
        unit=row.unit,
        better=row.better,
        against=against,
        berth=statistics.median(ours),
        peer=statistics.median(theirs) if theirs else None,
        ratio=ratio,
        least=min(each),
        most=max(each),
        bar=bar,
        aim=aim,
        verdict=verdict(ratio, bar, aim, row.better),
    )


def compare_all(rows, samples):
    """`samples` are figures by arm and phase; phases that failed are not among them."""
    return [told for row in rows if row.phase in samples for told in comparisons(row, samples[row.phase])]
