"""Clients that push, pull, move tags and delete without a pause, and know what was acknowledged.

Each has repositories of its own, so that the last answer it got is what must be there. It repeats what fails as ordinary
clients do; a request that fails all the same fails the test. Each remembers when it began and ended every change and what
must be there after it, so that a copy of the registry from some moment can be told from one that never was.
"""

import hashlib
import json
import random
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from support.images import IMAGE, sha256

OCTETS = "application/octet-stream"
# An ordinary client repeats a request this often, waiting longer each time: about 20 seconds in all.
ATTEMPTS = 8
KIB = 1024


class Refused(Exception):
    """The registry answered what no repetition changes, or never what it should."""


@dataclass(frozen=True)
class State:
    """What is in a worker's repositories: tags with their digests, images, and images of the other repository."""

    tags: frozenset
    images: frozenset
    mounted: frozenset


@dataclass(frozen=True)
class Change:
    """When something was asked for, when it was acknowledged, and what was there then."""

    began: float
    ended: float
    state: State


class Worker:
    """One client. What it was told lies in `tags`, `images` and `deleted`."""

    def __init__(self, registry, name, nth, seed):
        self.url = registry.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (registry.user, registry.password)
        self.random = random.Random(f"{seed} {nth}")
        self.repository = f"{name}/w{nth}"
        self.other = f"{name}/w{nth}-mounts"
        self.images = {}
        self.blobs = {}
        self.deleted = set()
        self.tags = {}
        self.mounted = set()
        self.history = [Change(0, 0, State(frozenset(), frozenset(), frozenset()))]
        self.counts = {}
        self.repeated = 0
        self.begun_anew = 0

    # Requests

    def call(self, method, target, wanted, **options):
        """Repeats until an answer is one of the `wanted`; gives it and whether it was the first."""
        said = None
        for attempt in range(ATTEMPTS):
            if attempt:
                self.repeated += 1
                time.sleep(min(0.1 * 2**attempt, 5))
            try:
                answer = self.session.request(method, self.url + target, timeout=60, **options)
            except requests.RequestException as error:
                said = repr(error)
                continue
            if answer.status_code in wanted:
                return answer, attempt == 0
            said = f"{answer.status_code} {answer.text[:300]}"
            if answer.status_code < 500 and answer.status_code != 429:
                break
        raise Refused(f"{method} {target}: {said}")

    @staticmethod
    def target(answer):
        parts = urlsplit(answer.headers["Location"])
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    # Steps of a push

    def begin(self):
        return self.target(self.call("POST", f"/v2/{self.repository}/blobs/uploads/", {202})[0])

    def upload(self, data):
        """One blob, in one piece or in several that may go to different nodes."""
        digest = sha256(data)
        if self.random.random() < 0.5:
            joined = self.begin()
            joined += ("&" if "?" in joined else "?") + f"digest={digest}"
            # An answer that was lost leaves an upload that is over: the blob is there, or the push begins again.
            answer, first = self.call("PUT", joined, {201, 404, 416}, data=data, headers={"Content-Type": OCTETS})
            if answer.status_code != 201 and first:
                raise Refused(f"PUT of an upload just begun: {answer.status_code} {answer.text[:200]}")
            if answer.status_code != 201 and not self.has(digest):
                return self.upload_anew(data)
            return digest
        return self.upload_in_pieces(data, digest)

    def upload_in_pieces(self, data, digest):
        """A node that died may hold an upload for a minute; clients wait a little, then begin the upload anew."""
        where, have, refused = self.begin(), 0, 0
        while have < len(data):
            piece = data[have : have + len(data) // 3 + 1]
            headers = {"Content-Type": OCTETS, "Content-Range": f"{have}-{have + len(piece) - 1}"}
            answer, _ = self.call("PATCH", where, {202, 416}, data=piece, headers=headers)
            if answer.status_code == 416:
                refused += 1
                if refused > 3:
                    return self.upload_anew(data)
                time.sleep(0.3)
                answer, _ = self.call("GET", where, {204})
            where, have = self.target(answer), self.offset(answer)
        joined = f"{where}{'&' if '?' in where else '?'}digest={digest}"
        answer, first = self.call("PUT", joined, {201, 404, 416}, headers={"Content-Type": OCTETS})
        if answer.status_code == 404 and first:
            raise Refused(f"PUT of a whole upload: 404 {answer.text[:200]}")
        if answer.status_code != 201 and not self.has(digest):
            return self.upload_anew(data)
        return digest

    def upload_anew(self, data):
        self.begun_anew += 1
        return self.upload(data)

    @staticmethod
    def offset(answer):
        """`0-0` is said of an upload that holds nothing, and of one that holds one byte, which no piece here leaves."""
        end = int(answer.headers["Range"].removeprefix("0-"))
        return end + 1 if end else 0

    def has(self, digest):
        return self.call("HEAD", f"/v2/{self.repository}/blobs/{digest}", {200, 404})[0].status_code == 200

    def manifest(self, repository, reference, body):
        headers = {"Content-Type": IMAGE}
        self.call("PUT", f"/v2/{repository}/manifests/{reference}", {201}, data=body, headers=headers)

    # What it does

    def push(self):
        size = self.random.choice([3, 3, 40, 40, 200, 700]) * KIB + self.random.randrange(1000)
        layers = [self.random.randbytes(size)]
        if self.blobs and self.random.random() < 0.5:
            # A layer of old, which is asked for and sent only where it is gone.
            layers.append(self.random.choice(list(self.blobs.values())))
        config = json.dumps({"architecture": "amd64", "os": "linux", "made": self.random.random()}).encode()
        described = []
        for data in [config, *layers]:
            digest = sha256(data)
            if not self.has(digest):
                self.upload(data)
            described.append({"mediaType": OCTETS, "digest": digest, "size": len(data)})
            self.blobs[digest] = data
        body = json.dumps(
            {"schemaVersion": 2, "mediaType": IMAGE, "config": described[0], "layers": described[1:]}
        ).encode()
        digest = sha256(body)
        tag = f"t{self.random.randrange(12)}"
        self.manifest(self.repository, tag, body)
        self.images[digest] = body
        self.deleted.discard(digest)
        self.tags[tag] = digest

    def move_tag(self):
        if self.images:
            tag, digest = f"t{self.random.randrange(12)}", self.random.choice(list(self.images))
            self.manifest(self.repository, tag, self.images[digest])
            self.tags[tag] = digest

    def delete_tag(self):
        if self.tags:
            tag = self.random.choice(list(self.tags))
            answer, first = self.call("DELETE", f"/v2/{self.repository}/manifests/{tag}", {202, 404})
            if first and answer.status_code == 404:
                raise Refused(f"DELETE of tag {tag}, which was acknowledged: 404")
            del self.tags[tag]

    def delete_image(self):
        if len(self.images) > 3:
            digest = self.random.choice(list(self.images))
            answer, first = self.call("DELETE", f"/v2/{self.repository}/manifests/{digest}", {202, 404})
            if first and answer.status_code == 404:
                raise Refused(f"DELETE of {digest}, which was acknowledged: 404")
            del self.images[digest]
            self.deleted.add(digest)
            self.tags = {tag: named for tag, named in self.tags.items() if named != digest}

    def mount(self):
        if self.images:
            body = self.images[self.random.choice(list(self.images))]
            manifest = json.loads(body)
            for part in [manifest["config"], *manifest["layers"]]:
                query = f"mount={part['digest']}&from={self.repository}"
                self.call("POST", f"/v2/{self.other}/blobs/uploads/?{query}", {201})
            self.manifest(self.other, sha256(body), body)
            self.mounted.add(sha256(body))

    def pull(self):
        if self.tags:
            tag = self.random.choice(list(self.tags))
            self.check_image(self.repository, tag, self.tags[tag])

    def check_image(self, repository, reference, digest):
        answer, _ = self.call("GET", f"/v2/{repository}/manifests/{reference}", {200}, headers={"Accept": IMAGE})
        if sha256(answer.content) != digest:
            raise Refused(f"{repository}:{reference} is {sha256(answer.content)}, acknowledged was {digest}")
        manifest = answer.json()
        for part in [manifest["config"], *manifest["layers"]]:
            blob, _ = self.call("GET", f"/v2/{repository}/blobs/{part['digest']}", {200})
            if hashlib.sha256(blob.content).hexdigest() != part["digest"].removeprefix("sha256:"):
                raise Refused(f"{part['digest']} has other bytes")

    def act(self):
        names = ["push"] * 4 + ["pull"] * 3 + ["move_tag", "delete_tag", "delete_image", "mount"]
        name = self.random.choice(names)
        began = time.monotonic()
        getattr(self, name)()
        state = State(frozenset(self.tags.items()), frozenset(self.images), frozenset(self.mounted))
        if state != self.history[-1].state:
            self.history.append(Change(began, time.monotonic(), state))
        self.counts[name] = self.counts.get(name, 0) + 1

    # What must be true afterwards

    def check(self):
        """Asks for everything that was acknowledged."""
        there = self.call("GET", f"/v2/{self.repository}/tags/list", {200, 404})[0]
        tags = set(there.json().get("tags") or []) if there.status_code == 200 else set()
        if tags != set(self.tags):
            raise Refused(f"tags of {self.repository} are {sorted(tags)}, acknowledged were {sorted(self.tags)}")
        for tag, digest in self.tags.items():
            self.check_image(self.repository, tag, digest)
        for digest in self.images:
            self.check_image(self.repository, digest, digest)
        for digest in self.deleted:
            self.call("HEAD", f"/v2/{self.repository}/manifests/{digest}", {404}, headers={"Accept": IMAGE})


    # What a copy of the registry must be

    def seen(self, repository):
        """The tags and images of a repository, everything that is there pulled and hashed."""
        there = self.call("GET", f"/v2/{repository}/tags/list", {200, 404})[0]
        tags = {}
        for tag in (there.json().get("tags") or []) if there.status_code == 200 else []:
            head, _ = self.call("HEAD", f"/v2/{repository}/manifests/{tag}", {200}, headers={"Accept": IMAGE})
            tags[tag] = head.headers["Docker-Content-Digest"]
        images = set()
        for digest in {digest for change in self.history for digest in change.state.images}:
            target = f"/v2/{repository}/manifests/{digest}"
            if self.call("HEAD", target, {200, 404}, headers={"Accept": IMAGE})[0].status_code == 200:
                self.check_image(repository, digest, digest)
                images.add(digest)
        return frozenset(tags.items()), frozenset(images)

    def check_copy(self, registry, begin, end):
        """The copy was made between two moments: it must be what was there at one of them, no more and no less."""
        copy = Worker(registry, "", 0, 0)
        copy.history = self.history
        tags, images = copy.seen(self.repository)
        _, mounted = copy.seen(self.other)
        state = State(tags, images, mounted)
        first = max(nth for nth, change in enumerate(self.history) if change.ended <= begin)
        last = max(nth for nth, change in enumerate(self.history) if change.began <= end)
        if all(change.state != state for change in self.history[first : last + 1]):
            known = [nth for nth, change in enumerate(self.history) if change.state == state]
            raise Refused(f"{self.repository} is as after {known or 'no'} changes, not {first} to {last}: {state}")
        return len(state.images) + len(state.mounted)


class Crowd:
    """Workers, at work while used as a context manager; each rests for `pause` seconds between two things."""

    def __init__(self, registry, workers, seed, name="crowd", pause=0):
        self.pause = pause
        print(f"BERTH_TEST_SEED={seed}")
        self.workers = [Worker(registry, name, nth, seed) for nth in range(workers)]
        self.over = threading.Event()
        self.failures = []
        self.threads = [threading.Thread(target=self._work, args=[worker]) for worker in self.workers]

    def _work(self, worker):
        try:
            while not self.over.wait(self.pause):
                worker.act()
        except Exception as error:  # told by whoever waits
            self.failures.append(f"{worker.repository}: {error!r}")
            self.over.set()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def go_on(self, seconds):
        """Lets them work; fails as soon as one of them does."""
        self.over.wait(seconds)
        self.ensure_well()

    def ensure_well(self):
        assert not self.failures, "\n".join(self.failures)

    def check(self):
        self.ensure_well()
        for worker in self.workers:
            worker.check()
        return self

    def check_copy(self, registry, begin, end):
        """How many images a copy of the registry has, which was made between two moments."""
        return sum(worker.check_copy(registry, begin, end) for worker in self.workers)

    def told(self):
        counts = {}
        for worker in self.workers:
            for name, count in worker.counts.items():
                counts[name] = counts.get(name, 0) + count
        repeated = sum(worker.repeated for worker in self.workers)
        anew = sum(worker.begun_anew for worker in self.workers)
        return f"{counts}, {repeated} requests repeated, {anew} uploads begun anew"
