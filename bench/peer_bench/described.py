"""The phases in which images are described by ECR's API."""

import time
from dataclasses import replace

from . import calls, ecr, load, watch
from .content import ARTIFACT_TYPE, EMPTY, EMPTY_DIGEST, MANIFEST_TYPE, artifact, new_images, sha256
from .phase import Phase, answered, watched
from .rows import MANIFESTS, ONE_MANIFEST
from .servers import BERTH
from .wire import Connection, WrongAnswer

DESCRIBED = "bench/described"
PAGED = "bench/paged"
# Has so many images that it is a server of its own: the others are to be measured without them.
MANY_IMAGES = "berth (many images)"
PAGE = 1_000
ASKED = 30
CONNECTIONS = 16
# About as many as are answered: so many are signed for each turn, and only when all were asked they come again.
PER_SECOND = 30_000
# Each image is asked for once in a second that a request is dated, and signatures are good for 15 minutes.
DATES = 300


class DescribeImages(Phase):
    """One image by its digest, each request signed for itself. Beside it the same images' manifests, asked for in the same
    way, and one manifest, as other phases ask for it."""

    def __init__(self):
        super().__init__("describe-images")
        self.images = []

    def arms(self, bench):
        return [BERTH, MANIFESTS, ONE_MANIFEST]

    def prepare(self, bench, arm):
        server = bench.server(BERTH)
        if not self.images:
            self.images = new_images(bench.sizes.described)
            load.push_images(server.place, DESCRIBED, self.images)
        with Connection(server.place) as connection:
            for image, request in zip(self.images, self.requests(server, arm, len(self.images)), strict=True):
                self.check(image, connection.ask_as_is(request), arm)

    def requests(self, server, arm, count):
        """So many different ones to describe images; to get manifests, one for each image."""
        if arm != BERTH:
            with server.connection() as connection:
                paths = [calls.manifest_path(DESCRIBED, image.digest) for image in self.images]
                return [connection.head("GET", path, None, calls.ACCEPT) for path in paths]
        signer, now = ecr.Signer.of(server), time.time()
        turns = [(image.digest, now - turn) for turn in range(-(-count // len(self.images))) for image in self.images]
        return [ecr.describe_digest(signer, DESCRIBED, digest, at) for digest, at in turns[:count]]

    def check(self, image, answer, arm):
        if arm != BERTH:
            if answer.must_be(200).body != image.manifest:
                raise WrongAnswer(f"{image.digest} is served with other bytes")
            return
        details, token = ecr.described(answer)
        if len(details) != 1 or token is not None:
            raise WrongAnswer(f"one image is described as {len(details)}, with more to come: {token}")
        size = sum(len(blob) for blob in image.blobs.values())
        ecr.check_detail(details[0], expected(DESCRIBED, image.digest, [image.tag], size))

    def turns(self, bench):
        return bench.sizes.pairs

    def sample(self, bench, arm):
        server, seconds = bench.server(BERTH), bench.sizes.seconds
        if arm == ONE_MANIFEST:
            return answered(bench, server, calls.manifest_path(DESCRIBED, self.images[0].digest), CONNECTIONS)
        requests = self.requests(server, arm, min(PER_SECOND * seconds, DATES * len(self.images)))
        file = load.write_requests(bench.folder / "requests", requests)
        return watched(server, lambda: load.wrk_replay(server.place, file, CONNECTIONS, seconds))


def expected(repository, digest, tags, size):
    return {
        "repositoryName": repository,
        "imageDigest": digest,
        "imageTags": tags or None,
        "imageSizeInBytes": size,
        "imageManifestMediaType": MANIFEST_TYPE,
    }


class DescribePage(Phase):
    """A long page from the middle of very many images."""

    def __init__(self):
        super().__init__("describe-page")
        # The token that leads to the page, what it holds, and the token behind it.
        self.token, self.details, self.next = None, None, None

    def arms(self, bench):
        return [BERTH]

    def prepare(self, bench, arm):
        server, count = bench.server(MANY_IMAGES), bench.sizes.many_images
        with server.connection() as connection:
            calls.push_blob(connection, PAGED, EMPTY_DIGEST, EMPTY)
        manifests = [artifact(nth) for nth in range(count)]
        load.push_manifests(server.place, PAGED, [(tag_of(nth), text) for nth, text in enumerate(manifests)])
        pages = self.pages(server)
        self.check(pages, {sha256(text): tag_of(nth) for nth, text in enumerate(manifests)})
        (self.details, self.next), (_, self.token) = pages[len(pages) // 2], pages[len(pages) // 2 - 1]
        if len(self.details) != PAGE or not self.next:
            raise WrongAnswer(f"the page in the middle has {len(self.details)} images, and the token {self.next}")

    def pages(self, server):
        """All pages, from the first to the last: their images, and the token of the next one."""
        signer, pages, token = ecr.Signer.of(server), [], None
        with unauthorized(server) as connection:
            while token or not pages:
                request = ecr.describe_page(signer, PAGED, PAGE, token, time.time())
                details, token = ecr.described(connection.ask_as_is(request))
                pages.append((details, token))
        return pages

    def check(self, pages, tags):
        """Each image is told once, in full pages, as it was pushed."""
        told = [detail for details, _ in pages for detail in details]
        digests = {detail["imageDigest"] for detail in told}
        if any(len(details) != PAGE for details, _ in pages[:-1]) or len(told) != len(digests) or digests != set(tags):
            raise WrongAnswer(f"{len(told)} images on {len(pages)} pages, {len(digests)} different, where {len(tags)} are")
        for detail in told:
            tag = tags[detail["imageDigest"]]
            of_image = expected(PAGED, detail["imageDigest"], [tag] if tag else [], len(EMPTY))
            ecr.check_detail(detail, of_image | {"artifactMediaType": ARTIFACT_TYPE})

    def sample(self, bench, arm):
        server, now = bench.server(MANY_IMAGES), time.time()
        signer, times = ecr.Signer.of(server), []
        requests = [ecr.describe_page(signer, PAGED, PAGE, self.token, now - nth) for nth in range(ASKED)]
        with unauthorized(server) as connection, watch.Watch(server.pids()) as used:
            for request in requests:
                begin = time.monotonic()
                answer = connection.ask_as_is(request)
                times.append((time.monotonic() - begin) * 1000)
                if ecr.described(answer) != (self.details, self.next):
                    raise WrongAnswer("the same page is another one now")
        return load.summary(times) | {"cpu_ms": used.cpu * 1000 / ASKED, "peak_mib": used.peak}


def tag_of(nth):
    """Half of the images have one."""
    return f"t-{nth:06}" if nth % 2 else None


def unauthorized(server):
    """A connection for requests that are signed."""
    return Connection(replace(server.place, authorization=None))
