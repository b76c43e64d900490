"""Engines at a registry whose quota is used up: what they do with 429 and Retry-After, as docs/reference/throttling.md says."""

import hashlib

import pytest

from clients.test_docker import build
from clients.test_podman import load, login
from support.api import Api
from support.recorder import Recorder

TOLD = "toomanyrequests: too many requests: wait"

# Of each operation, so much as one pull or push needs. What is used up stays so while a test lasts.
RATES = {
    "InitiateLayerUpload": "0.01/2",
    "PutImage": "0.01/1",
    "BatchGetImage": "0.01/2",
    "GetDownloadUrlForLayer": "0.01/2",
}
# For those who wait: there again after a few seconds.
SHORTLY = pytest.mark.parametrize("throttled", [pytest.param(("BatchGetImage", "0.2/2"), id="shortly")], indirect=True)

NOTHING = "sha256:" + "0" * 64
CALLS = {
    "InitiateLayerUpload": ("POST", "blobs/uploads/"),
    "PutImage": ("PUT", "manifests/none"),
    "BatchGetImage": ("GET", "manifests/none"),
    "GetDownloadUrlForLayer": ("GET", f"blobs/{NOTHING}"),
}


class Throttled:
    """A registry that allows little of one operation, seen through a recorder."""

    def __init__(self, server, recorder, operation):
        self.server = server
        self.api = Api(server.registry())
        self.recorder = recorder
        self.registry = recorder.registry
        self.operation = operation

    def use_up(self):
        """Calls the operation until it is refused, so that the next call is refused too."""
        self.recorder.exchanges.clear()
        method, path = CALLS[self.operation]
        for _ in range(20):
            if self.api.call(method, f"/v2/throttled/app/{path}").status_code == 429:
                return
        raise AssertionError("never throttled")

    def fill(self):
        """Lets calls through again at once: what was counted is in memory."""
        self.server.stop()
        self.server.start()

    def statuses(self):
        """What the client's calls of the operation were answered with, in order. Every refusal said how long to wait."""
        method, path = CALLS[self.operation]
        prefix = "/v2/throttled/app/" + path.removesuffix("none").removesuffix(NOTHING)
        methods = ("GET", "HEAD") if self.operation == "BatchGetImage" else (method,)
        calls = [e for e in self.recorder.exchanges if e.method in methods and e.path.startswith(prefix)]
        assert all(int(e.headers["retry-after"]) >= 1 for e in calls if e.status == 429)
        return [e.status for e in calls]


@pytest.fixture
def throttled(serve, request):
    operation, rate = request.param
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]
    settings = {"BERTH_THROTTLE__PROFILE": "ecr", "BERTH_THROTTLE__RATES": f"{operation}={rate}"}
    with serve(f"throttled-{name}", settings=settings) as server, Recorder(server.registry()) as recorder:
        yield Throttled(server, recorder, operation)


def with_little_of(*operations):
    parameters = [pytest.param((operation, RATES[operation]), id=operation) for operation in operations]
    return pytest.mark.parametrize("throttled", parameters, indirect=True)


# Two nodes have half of a quota each, and one call at least.
@pytest.mark.once
@with_little_of("InitiateLayerUpload", "PutImage")
def test_docker_gives_up_a_push_and_says_why(docker, throttled):
    image = throttled.registry.ref("throttled/app:v1")
    docker.login(throttled.registry)
    build(docker, image)
    throttled.use_up()
    assert TOLD in docker("push", image, fails=True)
    assert throttled.statuses() == [429], "it does not try again"
    throttled.fill()
    assert "digest: sha256:" in docker("push", image)


@pytest.mark.once
@with_little_of("BatchGetImage", "GetDownloadUrlForLayer")
def test_docker_gives_up_a_pull_and_says_why(docker, throttled):
    image = throttled.registry.ref("throttled/app:v1")
    docker.login(throttled.registry)
    build(docker, image)
    docker("push", image)
    docker("rmi", image)
    throttled.use_up()
    assert TOLD in docker("pull", image, fails=True)
    statuses = throttled.statuses()
    # It asks again at once, by GET what it asked by HEAD, and once more for a layer, but never after a while.
    assert 0 < len(statuses) <= 3 and set(statuses) == {429}, statuses
    throttled.fill()
    assert "Downloaded newer image" in docker("pull", image)


@pytest.mark.once
@pytest.mark.parametrize("throttled", [pytest.param(("BatchGetImage", "0.01/4"), id="BatchGetImage")], indirect=True)
def test_containerd_gives_up_a_pull_and_says_why(containerd, containers, throttled, one):
    image = pushed_by_skopeo(containers, throttled.registry, one)
    registry = throttled.registry
    pull = ["ctr", "-a", containerd, "-n", "throttled", "images", "pull", "--plain-http"]
    pull += ["--user", f"{registry.user}:{registry.password}", image]
    throttled.use_up()
    told = containers.run(*pull, fails=True)
    assert "429 Too Many Requests" in told, told
    throttled.fill()
    assert "done" in containers.run(*pull)


def pushed_by_skopeo(containers, registry, one):
    layout, _ = one
    containers.know(registry)
    login(containers, registry)
    image = registry.ref("throttled/app:v1")
    containers.run("skopeo", "copy", f"oci:{layout.path}:one", f"docker://{image}")
    return image


@pytest.mark.once
@pytest.mark.parametrize("client", ["podman", "skopeo"])
@SHORTLY
def test_podman_and_skopeo_wait_as_they_are_told(containers, throttled, one, client):
    image = pushed_by_skopeo(containers, throttled.registry, one)
    commands = {"podman": ["podman", "pull", image], "skopeo": ["skopeo", "inspect", f"docker://{image}"]}
    throttled.use_up()
    containers.run(*commands[client])
    statuses = throttled.statuses()
    assert statuses[0] == 429 and statuses[-1] == 200, statuses


@pytest.mark.once
@pytest.mark.parametrize("throttled", [pytest.param(("PutImage", "0.01/1"), id="PutImage")], indirect=True)
def test_podman_gives_up_a_manifest_after_a_few_seconds(containers, throttled, one):
    containers.know(throttled.registry)
    image = throttled.registry.ref("throttled/app:v1")
    login(containers, throttled.registry)
    load(containers, one[0], image)
    throttled.use_up()
    assert TOLD in containers.run("podman", "push", image, fails=True)
    assert throttled.statuses() == [429] * 4, "three more times, a second after another"
