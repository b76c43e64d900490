"""buildah: build and push, manifest lists, zstd, a build cache kept in the registry."""

import os

import pytest

from support.images import BUSYBOX

CONTAINERFILE = """
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "touch", "-d", "@{moment}", "/made"]
ENTRYPOINT ["/bin/busybox"]
"""


@pytest.fixture
def buildah(containers, registry):
    containers.know(registry)
    containers.run("buildah", "login", "-u", registry.user, "--password-stdin", registry.host, input=registry.password)
    context = containers.path / "context"
    context.mkdir()
    (context / "busybox").write_bytes(BUSYBOX.read_bytes())
    (context / "busybox").chmod(0o755)
    # Times of their own make layers of their own: a layer that the registry has already is not compressed again.
    moment = 1_000_000_000 + int.from_bytes(os.urandom(3), "big")
    os.utime(context / "busybox", (moment, moment))
    (context / "Containerfile").write_text(CONTAINERFILE.format(moment=moment))
    return containers


def build(buildah, name, *flags):
    return buildah.run("buildah", "build", "--isolation", "chroot", "--layers", *flags, "-t", name, "context")


def test_build_push_pull(buildah, registry, api):
    image = registry.ref("buildah/first:v1")
    build(buildah, image)
    written = buildah.path / "digest"
    buildah.run("buildah", "push", "--digestfile", written, image)
    assert api.digest("buildah/first", "v1") == written.read_text().strip()
    buildah.run("buildah", "rmi", "--all", "--force")
    buildah.run("buildah", "pull", image)
    container = buildah.out("buildah", "from", image).strip()
    said = buildah.run("buildah", "run", "--isolation", "chroot", container, "/bin/busybox", "ls", "/made")
    assert said.strip() == "/made"


def test_zstd(buildah, registry, api):
    image = registry.ref("buildah/zstd:v1")
    build(buildah, image)
    buildah.run("buildah", "push", "--compression-format", "zstd", image)
    layers = api.manifest("buildah/zstd", "v1").json()["layers"]
    assert {layer["mediaType"] for layer in layers} == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    buildah.run("buildah", "rmi", "--all", "--force")
    buildah.run("buildah", "pull", image)


def test_manifest_list(buildah, registry, api, many):
    layout, _ = many
    listed = registry.ref("buildah/list:v1")
    for architecture in ("amd64", "arm64"):
        single = f"docker://{registry.ref('buildah/list:' + architecture)}"
        buildah.run("skopeo", "copy", "--override-arch", architecture, f"oci:{layout.path}:many", single)
    buildah.run("buildah", "manifest", "create", "mine")
    for architecture in ("amd64", "arm64"):
        buildah.run("buildah", "manifest", "add", "mine", f"docker://{registry.ref('buildah/list:' + architecture)}")
    buildah.run("buildah", "manifest", "push", "--all", "mine", f"docker://{listed}")
    pushed = api.manifest("buildah/list", "v1").json()
    assert {child["platform"]["architecture"] for child in pushed["manifests"]} == {"amd64", "arm64"}


def test_build_cache_in_the_registry(buildah, registry, api):
    cache = registry.ref("buildah/cache")
    shared = ["--cache-to", cache, "--cache-from", cache]
    assert "Pushing cache" in build(buildah, "localhost/cached", *shared)
    assert api.tags("buildah/cache")
    buildah.run("buildah", "rmi", "--all", "--force")
    said = build(buildah, "localhost/cached", *shared)
    assert "Cache pulled from remote" in said
    assert "Using cache" in said
