"""A layer that the disk damaged comes back when any client pushes its image again.

Some clients look for the manifest first, and upload nothing where it is still there: they push into another repository.
"""

import pytest

from clients import test_crane
from clients.test_skopeo import signed_in
from support.api import Api
from support.server import running


@pytest.fixture
def own(berth_bin, scratch, request):
    with running(berth_bin, scratch / request.node.name.replace("[", "-").rstrip("]")) as server:
        yield server


def crane(home, registry, layout, digest, image):
    test_crane.login(home, registry)
    folder = home.path / f"single-{digest[-8:]}"
    if not folder.exists():
        folder = test_crane.single_image(home, layout, digest)
    home.run("crane", "push", folder, registry.ref(image))


def skopeo(containers, registry, layout, digest, image):
    to = f"docker://{registry.ref(image)}"
    signed_in(containers, registry).run("skopeo", "copy", "--preserve-digests", f"oci:{layout.path}:one", to)


def oras(home, registry, layout, digest, image):
    home.run("oras", "login", "--plain-http", registry.host, "-u", registry.user, "--password-stdin", input=registry.password)
    home.run("oras", "cp", "--to-plain-http", "--from-oci-layout", f"{layout.path}:one", registry.ref(image))


def regctl(home, registry, layout, digest, image):
    home.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", registry.host)
    home.run("regctl", "registry", "login", registry.host, "-u", registry.user, "--pass-stdin", input=registry.password)
    home.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", registry.ref(image))


# How each pushes, which fixture it needs, and where its second push goes.
PUSHES = {
    "skopeo": (skopeo, "containers", "repair/app"),
    "oras": (oras, "home", "repair/again"),
    "regctl": (regctl, "home", "repair/again"),
    "crane": (crane, "home", "repair/again"),
}


def damage(server):
    """Flips the first byte of every blob that lies in a file; how many."""
    files = [path for path in (server.data_dir / "blobs").rglob("*") if path.is_file()]
    for file in files:
        with file.open("r+b") as opened:
            first = opened.read(1)
            opened.seek(0)
            opened.write(bytes([first[0] ^ 1]))
    return len(files)


@pytest.mark.own_binary
@pytest.mark.parametrize("client", PUSHES)
def test_a_push_repairs(client, request, own, one):
    push, fixture, again = PUSHES[client]
    home, (layout, digest), registry = request.getfixturevalue(fixture), one, own.registry()
    layers = layout.layers(digest)
    push(home, registry, layout, digest, "repair/app:v1")
    api = Api(registry)
    assert damage(own) >= 1
    assert own.run("verify").returncode == 1
    gone = {layer for layer in layers if api.call("HEAD", f"/v2/repair/app/blobs/{layer}").status_code == 404}
    assert gone and all(api.call("GET", f"/v2/repair/app/blobs/{layer}").status_code == 503 for layer in gone)
    push(home, registry, layout, digest, f"{again}:v2")
    api.same_as(layout, "repair/app", digest)
    assert own.run("verify").returncode == 0
