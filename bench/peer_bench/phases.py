"""What is done with each arm, in turns. A phase gives a dict of figures for each sample."""

import base64
import json
import os
import random
import re
import time
from dataclasses import replace

from support.server import wait_until

from . import calls, load, watch
from .bench import COLLECTING, GRACE_SECONDS, REPOSITORY, TLS
from .content import GIB, new_image, new_images, sha256
from .described import DescribeImages, DescribePage
from .phase import Phase, answered
from .rows import ADMINISTRATOR, FEWER_TAGS, NO_GARBAGE, ONE_PUT, REDIRECT, SHA256, SILENT, UNRECORDED
from .servers import BERTH, NGINX
from .wire import Connection, WrongAnswer

CLIENTS = 8
LARGE = "bench/large"
PUSHED = "bench/pushed"
TAGGED = "bench/tagged"
FEW = "bench/few"
MANY = "bench/many"
GARBAGE = "bench/garbage"
PAGE = 100
# As many as an image may have, by Berth's own default.
TAGS_OF_IMAGE = 1_000
# What the clients do while garbage goes: modest, so that nothing but the collection can make them wait.
PULLS_PER_SECOND = 200
PUSHES_PER_SECOND = 20
PACED_THREADS = 8
# Half of the garbage lies in the database, half in files.
SMALL_GARBAGE = 1_000
LARGE_GARBAGE = 100_000
COLLECTION_SECONDS = 180
# How much of what should be gone is asked for.
ASKED_FOR = 100


class Pull(Phase):
    """A large blob, by clients that cost next to nothing or by curl."""

    def __init__(self, name, clients, pull, times=1):
        super().__init__(name)
        self.clients = clients
        self.pull = pull
        self.times = times

    def arms(self, bench):
        yardstick = [NGINX] if bench.storage == "files" else []
        return [BERTH, *yardstick, *bench.registries()[1:]]

    def prepare(self, bench, arm):
        bench.with_large(arm, "pull")

    def sample(self, bench, arm):
        server, large = bench.server(arm), bench.large("pull")
        path = calls.blob_path(REPOSITORY, large.digest)
        with watch.Watch(server.pids()) as used:
            for _ in range(self.times):
                self.pull(server.place, path, large.size, self.clients)
        return of_bytes(used, self.clients * self.times * large.size)


def of_bytes(used, count):
    gib = count / GIB
    return {"cpu_per_gib": used.cpu / gib, "gib_per_second": gib / used.wall, "peak_mib": used.peak}


class PullRedirected(Pull):
    """Clients follow to the bucket: it gives the bytes, and the registry's own CPU time is next to nothing."""

    def arms(self, bench):
        return [name + REDIRECT for name in bench.registries()]


class PullOverTls(Phase):
    """The same cipher on both sides: the client allows no other."""

    def arms(self, bench):
        return [BERTH, NGINX]

    def place(self, bench, arm):
        return bench.server(NGINX).tls_place if arm == NGINX else bench.server(TLS).place

    def prepare(self, bench, arm):
        name, place = TLS if arm == BERTH else arm, self.place(bench, arm)
        bench.with_large(name, "tls", place)
        agreed = load.tls_suite(place, self.path(bench))
        if agreed != ("TLSv1.3", load.TLS_SUITE):
            raise WrongAnswer(f"{name} speaks {agreed}")

    def path(self, bench):
        return calls.blob_path(REPOSITORY, bench.large("tls").digest)

    def sample(self, bench, arm):
        server, size = bench.server(TLS if arm == BERTH else arm), bench.sizes.tls_bytes
        with watch.Watch(server.pids()) as used:
            load.curls(self.place(bench, arm), self.path(bench), size, CLIENTS)
        return of_bytes(used, CLIENTS * size)


class Push(Phase):
    """Large blobs that nobody has seen before, each in one PUT."""

    def arms(self, bench):
        return [*bench.registries(), SHA256]

    def prepare(self, bench, arm):
        if arm != SHA256:
            bench.server(arm)

    def sample(self, bench, arm):
        if arm == SHA256:
            return {"cpu_per_gib": load.sha256_seconds_per_gib()}
        return pushed(bench, bench.server(arm), calls.push_whole)


class PushChunks(Phase):
    """Berth with itself: many requests for a blob must cost no more than one."""

    def arms(self, bench):
        return [BERTH, ONE_PUT]

    def prepare(self, bench, arm):
        bench.server(BERTH)

    def sample(self, bench, arm):
        def chunked(connection, repository, large):
            calls.push_chunked(connection, repository, large, bench.sizes.chunk_bytes)

        return pushed(bench, bench.server(BERTH), calls.push_whole if arm == ONE_PUT else chunked)


def pushed(bench, server, push):
    """Each push begins with a disk that has nothing to write, and is read back when the time is taken."""
    large, cpu, wall = bench.large("push"), 0, 0
    for _ in range(bench.sizes.pushes):
        large.renew()
        os.sync()
        with server.connection() as connection:
            with watch.Watch(server.pids()) as used:
                push(connection, LARGE, large)
            calls.check_large(connection, LARGE, large)
        cpu, wall = cpu + used.cpu, wall + used.wall
    gib = bench.sizes.pushes * large.size / GIB
    return {"cpu_per_gib": cpu / gib, "gib_per_second": gib / wall}


class Requests(Phase):
    """One address, asked for as often as a server answers."""

    def __init__(self, name, path, connections):
        super().__init__(name)
        self.path = path
        self.connections = connections

    def prepare(self, bench, arm):
        bench.with_image(arm)

    def sample(self, bench, arm):
        return answered(bench, bench.server(arm), self.path(bench), self.connections)


def by_tag(bench):
    return calls.manifest_path(REPOSITORY, bench.image.tag)


def by_digest(bench):
    return calls.manifest_path(REPOSITORY, bench.image.digest)


def small_blob(bench):
    return calls.blob_path(REPOSITORY, bench.image.layer()[0])


class Watching(Requests):
    """What logs and metrics cost, in many short turns: the difference is small."""

    def __init__(self):
        super().__init__("watching", by_tag, 16)

    def arms(self, bench):
        return [BERTH, SILENT]

    def prepare(self, bench, arm):
        server = bench.with_image(arm)
        with server.connection() as connection:
            connection.ask("GET", "/metrics").must_be(404 if arm == SILENT else 200)

    def turns(self, bench):
        return bench.sizes.pairs


class Recorded(Requests):
    """Berth with itself: what it costs that each read is on record."""

    def __init__(self):
        super().__init__("recorded", by_tag, 16)

    def arms(self, bench):
        return [BERTH, UNRECORDED]

    def prepare(self, bench, arm):
        bench.with_image(arm)

    def turns(self, bench):
        return bench.sizes.pairs


class Policies(Requests):
    """What it costs to decide about a user with many statements, of which the last one allows; beside the administrator,
    who has one statement."""

    def __init__(self):
        super().__init__("policies", by_tag, 16)
        self.user = None

    def arms(self, bench):
        return [BERTH, ADMINISTRATOR]

    def prepare(self, bench, arm):
        server = bench.with_image(BERTH)
        if arm == BERTH:
            self.user = make_user(bench, server)
        with Connection(self.place(server, arm)) as connection:
            calls.check_image(connection, REPOSITORY, bench.image)
            if arm == BERTH:
                connection.ask("GET", "/v2/elsewhere/tags/list").must_be(403)

    def place(self, server, arm):
        return server.place if arm == ADMINISTRATOR else replace(server.place, authorization=self.user)

    def turns(self, bench):
        return bench.sizes.pairs

    def sample(self, bench, arm):
        server = bench.server(BERTH)
        return answered(bench, server, self.path(bench), self.connections, self.place(server, arm))


def make_user(bench, server):
    """A user with ten policies of twenty statements; what it logs in with."""

    def berth(*words):
        done = server.berth.run(*words, "--local", "--json")
        if done.returncode:
            raise WrongAnswer(f"berth {' '.join(map(str, words))}: {done.stderr[-300:]}")
        return json.loads(done.stdout)

    berth("user", "create", "many")
    for nth in range(10):
        file = bench.folder / f"policy-{nth}.json"
        file.write_text(json.dumps(policy(nth)))
        berth("policy", "create", f"policy-{nth}", str(file))
        berth("user", "attach", "many", f"policy-{nth}")
    key = berth("key", "create", "many")
    login = base64.b64encode(f"{key['AccessKeyId']}:{key['SecretAccessKey']}".encode()).decode()
    return f"Basic {login}"


def policy(nth):
    def statement(number):
        last = (nth, number) == (9, 19)
        resource = REPOSITORY if last else f"team-{nth}/project-{number}/*"
        return {
            "Effect": "Allow",
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
            "Resource": f"arn:aws:ecr:us-east-1:000000000000:repository/{resource}",
            "Condition": {"StringNotEquals": {"aws:PrincipalTag/team": "nobody"}},
        }

    return {"Version": "2012-10-17", "Statement": [statement(number) for number in range(20)]}


class Redirects(Requests):
    """Pulls that are answered with an address in the bucket."""

    def __init__(self):
        super().__init__("redirects", self.large_blob, 16)

    def arms(self, bench):
        return [name + REDIRECT for name in bench.registries()]

    def large_blob(self, bench):
        return calls.blob_path(REPOSITORY, bench.large("redirect").digest)

    def prepare(self, bench, arm):
        server = bench.with_large(arm, "redirect")
        with server.connection() as connection:
            connection.ask("GET", self.large_blob(bench)).must_be(307)


class Images(Phase):
    """Small images, by 16 clients at once."""

    def prepare(self, bench, arm):
        bench.server(arm)

    def sample(self, bench, arm):
        server, images = bench.server(arm), new_images(bench.sizes.images)
        flushes = watch.Flushes(watch.device_of(bench.folder) if bench.storage == "files" else None)
        with flushes, watch.Watch(server.pids()) as used:
            wall, times = load.push_images(server.place, PUSHED, images)
        with server.connection() as connection:
            calls.check_one_of(connection, PUSHED, images)
        figures = {"rate": len(images) / wall, "cpu_ms": used.cpu * 1000 / len(images), **load.summary(times)}
        return figures | ({} if flushes.count is None else {"flushes": flushes.count / len(images)})


class Tags(Phase):
    """A page from the middle of many tags."""

    def arms(self, bench):
        # Distribution 3.1 and zot are not compared: filling them takes longer than all else.
        return bench.registries()[:1] + bench.registries()[2:3]

    def tags(self, bench):
        return [f"t-{nth:06}" for nth in range(bench.sizes.tags)]

    def path(self, bench):
        middle = self.tags(bench)[bench.sizes.tags // 2]
        return f"/v2/{TAGGED}/tags/list?n={PAGE}&last={middle}"

    def prepare(self, bench, arm):
        server, images = bench.server(arm), with_tags(self.tags(bench))
        load.push_images(server.place, TAGGED, [image for image, _ in images])
        load.push_tags(server.place, TAGGED, images)
        self.check(bench, server)

    def check(self, bench, server):
        with server.connection() as connection:
            answer = connection.ask("GET", self.path(bench)).must_be(200)
        got, tags = json.loads(answer.body)["tags"], self.tags(bench)
        page = tags[bench.sizes.tags // 2 + 1 :][:PAGE]
        # 2.8 does not know pages and gives all tags: what a client of it must take.
        if got != page and sorted(got) != tags:
            raise WrongAnswer(f"{server.name}: a page of tags holds {got[:3]} and {len(got) - 3} more")

    def sample(self, bench, arm):
        return answered(bench, bench.server(arm), self.path(bench), 1)


def with_tags(tags):
    """New images that have these tags among them, each with its own."""
    shares = [tags[at : at + TAGS_OF_IMAGE] for at in range(0, len(tags), TAGS_OF_IMAGE)]
    return [(new_image(share[0]), share) for share in shares]


class FlatTags(Phase):
    """Such a page among very many tags and among fewer, of Berth alone."""

    def arms(self, bench):
        return [BERTH, FEWER_TAGS]

    def of(self, bench, arm):
        """A repository, and how many tags it has."""
        few, many = (FEW, bench.sizes.tags), (MANY, bench.sizes.many_tags)
        return many if arm == BERTH else few

    def path(self, bench, arm):
        repository, count = self.of(bench, arm)
        return f"/v2/{repository}/tags/list?n={PAGE}&last=t-{count // 2:07}"

    def prepare(self, bench, arm):
        repository, count = self.of(bench, arm)
        server, images = bench.server(BERTH), with_tags([f"t-{nth:07}" for nth in range(count)])
        load.push_images(server.place, repository, [image for image, _ in images])
        load.push_many_tags(server.place, repository, images)
        with server.connection() as connection:
            answer = connection.ask("GET", self.path(bench, arm)).must_be(200)
        expected = [f"t-{nth:07}" for nth in range(count // 2 + 1, count // 2 + 1 + PAGE)]
        if json.loads(answer.body)["tags"] != expected:
            raise WrongAnswer(f"a page of {count} tags is wrong")

    def sample(self, bench, arm):
        return answered(bench, bench.server(BERTH), self.path(bench, arm), 1)


class Collection(Phase):
    """Pulls and pushes at a steady pace, beside a collection that takes garbage away or with nothing going on."""

    def __init__(self, name):
        super().__init__(name)
        # What nothing names, and when all of it may go.
        self.garbage = []
        self.due_at = 0

    def arms(self, bench):
        # In this order one heap of garbage serves both.
        return [NO_GARBAGE, BERTH]

    def prepare(self, bench, arm):
        server = bench.with_image(COLLECTING)
        if arm == BERTH:
            # It grows old while others are measured.
            self.fill(server, bench.sizes.garbage)

    def sample(self, bench, arm):
        server = bench.server(COLLECTING)
        self.must_be_due(bench, server)
        collecting = arm == BERTH
        pulls = load.Paced(server.place, PULLS_PER_SECOND, pull_of(bench.image), PACED_THREADS)
        pushes = load.Paced(server.place, PUSHES_PER_SECOND, push_new, PACED_THREADS)
        with pulls, pushes:
            # Garbage begins to go as soon as the server is there, so the clients must be waiting for it.
            server.restart(settings(collecting))
            pulls.begin.set()
            pushes.begin.set()
            seconds = until_gone(server, bench.sizes) if collecting else until_over(server, bench.sizes)
            pulled, pushed_in = pulls.times(), pushes.times()
        if collecting:
            # One that is stopped within a round holds it for a while, and the next sample would wait for that.
            wait_until("the round to end", lambda: server.metric("berth_gc_rounds_total"), COLLECTION_SECONDS)
            self.must_be_gone(server)
        server.restart(settings(False))
        return of_paced(pulled, pushed_in) | {"seconds": seconds}

    def must_be_due(self, bench, server):
        """There are as many blobs as there should be that nothing names, old enough to go. Those of a sample without
        collection stay for the next."""
        count = bench.sizes.garbage
        if not self.garbage:
            self.fill(server, count)
        wait_until(
            "garbage to be due",
            lambda: time.monotonic() > self.due_at and due(server) >= count,
            GRACE_SECONDS + COLLECTION_SECONDS,
        )

    def fill(self, server, count):
        blobs = [random.randbytes(SMALL_GARBAGE if nth % 2 else LARGE_GARBAGE) for nth in range(count)]
        named = [(sha256(blob), blob) for blob in blobs]
        load.push_blobs(server.place, GARBAGE, named)
        self.garbage = [digest for digest, _ in named]
        self.due_at = time.monotonic() + GRACE_SECONDS

    def must_be_gone(self, server):
        """Asked of some; by GET, as a HEAD that finds one is a promise to keep it."""
        with server.connection() as connection:
            for digest in random.sample(self.garbage, min(len(self.garbage), ASKED_FOR)):
                connection.ask("GET", calls.blob_path(GARBAGE, digest)).must_be(404)
        self.garbage = []


def settings(collecting):
    enabled = "true" if collecting else "false"
    return {"BERTH_GC__ENABLED": enabled, "BERTH_GC__GRACE": f"{GRACE_SECONDS}s", "BERTH_GC__INTERVAL": f"{GRACE_SECONDS}s"}


def due(server):
    """How many links a collection would take now."""
    told = server.berth.run("gc", "--dry-run")
    found = re.search(r"^(\d+) links", told.stdout, re.MULTILINE)
    if not found:
        raise WrongAnswer(f"berth gc --dry-run: {told.stdout[-300:]}{told.stderr[-300:]}")
    return int(found.group(1))


def collected(server):
    """How many blobs went since it started."""
    return server.metric("berth_gc_blobs_total")


def until_gone(server, sizes):
    """Seconds until the collection has taken everything."""
    begin = time.monotonic()
    wait_until("the garbage to go", lambda: collected(server) >= sizes.garbage, COLLECTION_SECONDS)
    return time.monotonic() - begin


def until_over(server, sizes):
    """Lets so many seconds go by."""
    begin = time.monotonic()
    # Asked for its metrics as often as when it collects.
    over = begin + sizes.paced_seconds
    wait_until("the time to be over", lambda: collected(server) or time.monotonic() > over, COLLECTION_SECONDS)
    if collected(server):
        raise WrongAnswer("garbage went where none should")
    return time.monotonic() - begin


def pull_of(image):
    digest, data = image.layer()

    def pull(connection, _):
        calls.check_same(connection, calls.manifest_path(REPOSITORY, image.tag), image.manifest)
        calls.check_same(connection, calls.blob_path(REPOSITORY, digest), data)

    return pull


def push_new(connection, _):
    calls.push_image(connection, PUSHED, *new_images(1))


def of_paced(pulled, pushed_in):
    pulls, pushes = load.summary(pulled), load.summary(pushed_in)
    return {f"pull_{name}": value for name, value in pulls.items()} | {
        "pulls": len(pulled),
        "pushes": len(pushed_in),
        **{f"push_{name}": value for name, value in pushes.items()},
    }


class Memory(Phase):
    """What a server holds while nobody asks for anything."""

    def arms(self, bench):
        yardstick = [NGINX] if bench.storage == "files" else []
        return [*bench.registries(), *yardstick]

    def prepare(self, bench, arm):
        bench.with_image(arm)

    def sample(self, bench, arm):
        return {"resident_mib": watch.resident_mib(bench.server(arm).pids())}


PHASES = [
    Memory("memory"),
    Pull("pull-many", CLIENTS, load.drains),
    Pull("pull-one", 1, load.curls, times=3),
    Push("push"),
    PushChunks("push-chunks"),
    Requests("tag-16", by_tag, 16),
    Requests("tag-64", by_tag, 64),
    Requests("digest-16", by_digest, 16),
    Requests("digest-64", by_digest, 64),
    Requests("small-blobs", small_blob, 16),
    Requests("small-blobs-64", small_blob, 64),
    PullRedirected("pull-redirected", CLIENTS, load.curls),
    Redirects(),
    Images("images"),
    Tags("tags"),
    FlatTags("tags-flat"),
    DescribeImages(),
    DescribePage(),
    Collection("gc"),
    PullOverTls("tls"),
    Watching(),
    Recorded(),
    Policies(),
]


def phases_of(chosen):
    """Those that the rows need, in the order in which they are done."""
    needed = {row.phase for row in chosen}
    return [phase for phase in PHASES if phase.name in needed]
