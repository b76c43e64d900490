"""One run: which servers there are, what they hold, and the rounds."""

import re
import statistics
import sys
import time
from dataclasses import dataclass, field, replace

from support.tools import GO_BIN

from . import calls, rows, servers
from .content import GIB, MIB, LargeFile, new_image
from .servers import BERTH, NGINX, V2, V3, ZOT
from .wire import Connection, WrongAnswer

REPOSITORY = "bench/img"
COLLECTING = "berth (collecting)"
TLS = "berth (TLS)"
# Berth's own limit.
GRACE_SECONDS = 10


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    pull_bytes: int = GIB
    tls_bytes: int = 256 * MIB
    push_bytes: int = 256 * MIB
    pushes: int = 2
    chunk_bytes: int = 16 * MIB
    redirect_bytes: int = MIB
    images: int = 200
    tags: int = 10_000
    many_tags: int = 1_000_000
    described: int = 1_000
    many_images: int = 100_000
    garbage: int = 10_000
    seconds: int = 3
    paced_seconds: float = 10
    pairs: int = 3

    def disk_bytes(self, rounds):
        """About what all servers together write: the blobs to pull four times, and pushes that stay."""
        return 5 * self.pull_bytes + rounds * 6 * self.pushes * self.push_bytes + 3 * self.garbage * 50_000


QUICK = Sizes(
    pull_bytes=64 * MIB,
    tls_bytes=16 * MIB,
    push_bytes=16 * MIB,
    pushes=1,
    chunk_bytes=4 * MIB,
    images=20,
    tags=500,
    many_tags=2_000,
    described=100,
    many_images=2_500,
    garbage=200,
    seconds=1,
    paced_seconds=1,
    pairs=1,
)
# What Distribution does with tags in a bucket takes minutes.
TAGS_ON_S3 = 1_000


def sizes_for(options):
    sizes = QUICK if options.quick else Sizes()
    if options.seconds:
        sizes = replace(sizes, seconds=options.seconds)
    return replace(sizes, tags=min(sizes.tags, TAGS_ON_S3)) if options.storage == "s3" else sizes


class Bench:
    """Servers are started when a phase first names them, and stopped by `stack` at the end."""

    def __init__(self, binary, folder, storage, sizes, stack):
        self.binary = binary
        self.folder = folder
        self.storage = storage
        self.sizes = sizes
        self.stack = stack
        self.running = {}
        self.broken = set()
        self.held = set()
        self.files = {}
        self.image = new_image("v1")
        self.certificate = servers.Certificate(folder)
        self.backends = self.start_backends() if storage == "s3" else None

    def start_backends(self):
        from support.nodes import backends  # needs what is not in the standard library

        return self.stack.enter_context(backends())

    def registries(self):
        """Berth and its peers."""
        zot = [ZOT] if self.has_zot() else []
        return [BERTH, V3, V2, *zot]

    def has_zot(self):
        return self.storage == "files" and (GO_BIN / "zot").exists()

    def server(self, name):
        if name in self.broken:
            raise WrongAnswer(f"{name} did not start")
        if name not in self.running:
            self.broken.add(name)
            server = self.make(name)
            server.start()
            self.stack.callback(server.stop)
            self.broken.remove(name)
            self.running[name] = server
        return self.running[name]

    def make(self, name):
        folder = self.folder / re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        kind = name.removesuffix(rows.REDIRECT)
        redirect = name.endswith(rows.REDIRECT)
        if kind == NGINX:
            return servers.Nginx(folder, self.certificate)
        if kind == V2:
            return servers.Distribution(name, "docker-registry", folder, self.place_in_bucket(redirect))
        if kind == V3:
            return servers.Distribution(name, GO_BIN / "registry", folder, self.place_in_bucket(redirect))
        if kind == ZOT:
            return servers.Zot(GO_BIN / "zot", folder)
        return self.make_berth(name, folder, redirect)

    def make_berth(self, name, folder, redirect):
        flags, environment = [], {}
        if name == TLS:
            flags = ["--tls-cert", self.certificate.chain, "--tls-key", self.certificate.key]
        if name == rows.SILENT:
            flags, environment = ["--log-level", "off"], {"BERTH_METRICS__ENABLED": "false"}
        if name == rows.UNRECORDED:
            environment = {"BERTH_AUDIT__READS": "off"}
        if name == COLLECTING:
            environment = {"BERTH_GC__ENABLED": "false", "BERTH_GC__GRACE": f"{GRACE_SECONDS}s"}
        if self.backends:
            environment |= self.backends.fresh() | {"BERTH_S3__REDIRECT": "true" if redirect else "false"}
        return servers.BerthServer(name, self.binary, folder, flags, environment)

    def place_in_bucket(self, redirect):
        if not self.backends:
            return None
        from support.seaweedfs import BUCKET, CREDENTIALS

        return servers.distribution_on_s3(self.backends.seaweed, BUCKET, CREDENTIALS, redirect)

    def with_image(self, name):
        """A server that holds the small image, and serves it as it was pushed."""
        server = self.server(name)
        if (name, "image") not in self.held:
            server.offer_image(REPOSITORY, self.image)
            with server.connection() as connection:
                calls.check_image(connection, REPOSITORY, self.image)
            self.held.add((name, "image"))
        return server

    def large(self, use):
        """The file of random bytes for this use, which no other one changes."""
        if use not in self.files:
            self.files[use] = LargeFile(self.folder / f"large-{use}", getattr(self.sizes, f"{use}_bytes"))
        return self.files[use]

    def with_large(self, name, use, place=None):
        """A server that holds a large file, and serves it as it was pushed, also at another of its places."""
        server, large = self.server(name), self.large(use)
        if (name, use) not in self.held:
            server.offer_large(REPOSITORY, large)
            with Connection(place or server.place) as connection:
                calls.check_large(connection, REPOSITORY, large)
            self.held.add((name, use))
        return server


@dataclass
class Results:
    """Figures by phase and arm, and what went wrong."""

    samples: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def good(self):
        return {name: arms for name, arms in self.samples.items() if name not in self.failures}


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def rotated(items, by):
    by %= len(items)
    return items[by:] + items[:by]


def run_rounds(bench, phases, rounds):
    """Every phase in every round, its arms one after the other, each round with another of them first."""
    results = Results()
    guarded(results, phases, lambda phase: prepare(bench, phase, results))
    for nth in range(rounds):
        say(f"round {nth + 1} of {rounds}")
        guarded(results, phases, lambda phase, nth=nth: measure(bench, phase, nth, results))
    return results


def guarded(results, phases, work):
    """A phase that fails is not gone on with; the others are."""
    for phase in phases:
        if phase.name in results.failures:
            continue
        try:
            work(phase)
        except (WrongAnswer, AssertionError, OSError) as error:
            results.failures[phase.name] = f"{type(error).__name__}: {error}"
            say(f"  {phase.name} FAILED: {results.failures[phase.name]}")


def prepare(bench, phase, results):
    arms = phase.arms(bench)
    say(f"preparing {phase.name}: {', '.join(arms)}")
    for arm in arms:
        phase.prepare(bench, arm)
    results.samples[phase.name] = {arm: [] for arm in arms}


def measure(bench, phase, nth, results):
    samples = results.samples[phase.name]
    for turn in range(phase.turns(bench)):
        for arm in rotated(list(samples), nth + turn):
            samples[arm].append(phase.sample(bench, arm))
    for arm, figures in samples.items():
        say(f"  {phase.name}: {arm}: {told(figures[-phase.turns(bench) :])}")


def told(figures):
    medians = {name: statistics.median(sample[name] for sample in figures) for name in figures[0]}
    return ", ".join(f"{name} {value:.4g}" for name, value in medians.items())
