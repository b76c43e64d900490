"""regctl: copies, indexes, tags, deletion, blobs in chunks."""

import pytest

from support import images
from support.api import Api
from support.images import Layout


def login(home, registry):
    if registry.plain:
        home.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", registry.host)
    else:
        home.run("regctl", "registry", "set", "--skip-check", "--cacert", registry.ca.read_text(), registry.host)
    home.run("regctl", "registry", "login", "-u", registry.user, "--pass-stdin", registry.host, input=registry.password)


@pytest.fixture
def regctl(home, registry):
    login(home, registry)
    return home


def test_push_pull_index(regctl, registry, api, many):
    layout, digest = many
    image = registry.ref("regctl/many:v1")
    regctl.run("regctl", "image", "copy", f"ocidir://{layout.path}:many", image)
    assert regctl.out("regctl", "image", "digest", image).strip() == digest
    api.same_as(layout, "regctl/many", digest)
    pulled = regctl.path / "pulled"
    regctl.run("regctl", "image", "copy", image, f"ocidir://{pulled}:many")
    Layout(pulled).holds(layout, digest)


def test_chunked_upload(home, recorder):
    """Layers larger than a chunk go up by several PATCHes with Content-Range."""
    # layers of its own: regctl first asks for a mount from anywhere
    layout, digest = images.single(home.path / "layout", "hello in chunks")
    registry = recorder.registry
    login(home, registry)
    home.run(
        "regctl",
        "registry",
        "set",
        "--skip-check",
        "--tls",
        "disabled",
        "--blob-chunk",
        "200000",
        "--blob-max",
        "100000",
        registry.host,
    )
    home.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", registry.ref("regctl/chunks:v1"))
    patches = [e for e in recorder.exchanges if e.method == "PATCH"]
    assert len(patches) > 2
    Api(registry).same_as(layout, "regctl/chunks", digest)


def test_copy_between_repositories_mounts(home, recorder, one):
    layout, digest = one
    registry = recorder.registry
    login(home, registry)
    source = registry.ref("regctl/mount-from:v1")
    home.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", source)
    recorder.exchanges.clear()
    home.run("regctl", "image", "copy", source, registry.ref("regctl/mount-to:v1"))
    assert layout.layers(digest) <= recorder.mounted()
    assert not layout.layers(digest) & recorder.uploaded()


def test_index_create(regctl, registry, api, many):
    layout, _ = many
    source, target = registry.ref("regctl/parts:many"), registry.ref("regctl/parts:mine")
    regctl.run("regctl", "image", "copy", f"ocidir://{layout.path}:many", source)
    regctl.run("regctl", "index", "create", target, "--ref", source, "--platform", "linux/arm64")
    children = api.manifest("regctl/parts", "mine").json()["manifests"]
    assert [child["platform"]["architecture"] for child in children] == ["arm64"]


def test_tag_removal(regctl, registry, api, one):
    layout, digest = one
    name = registry.ref("regctl/tags")
    for tag in ("keep", "drop"):
        regctl.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", f"{name}:{tag}")
    assert regctl.out("regctl", "tag", "ls", name).split() == ["drop", "keep"]
    regctl.run("regctl", "tag", "rm", f"{name}:drop")
    assert api.tags("regctl/tags") == ["keep"]
    assert api.digest("regctl/tags", "keep") == digest


def test_manifest_deletion(regctl, registry, api, one):
    layout, digest = one
    name = registry.ref("regctl/delete")
    regctl.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", f"{name}:v1")
    regctl.run("regctl", "manifest", "delete", f"{name}@{digest}")
    assert not api.has_manifest("regctl/delete", digest)
    assert not api.has_manifest("regctl/delete", "v1")


def test_artifact_with_subject(regctl, registry, api, one):
    layout, digest = one
    image = registry.ref("regctl/subject:v1")
    regctl.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", image)
    note = regctl.file("note", "checked")
    regctl.run(
        "regctl", "artifact", "put", "--artifact-type", "application/vnd.example.note", "--subject", image, "-f", note
    )
    assert [e["artifactType"] for e in api.referrers("regctl/subject", digest)] == ["application/vnd.example.note"]
    assert "application/vnd.example.note" in regctl.out("regctl", "artifact", "list", image)


def test_wrong_password(home, registry):
    home.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", registry.host)
    said = home.run(
        "regctl", "registry", "login", "-u", registry.user, "--pass-stdin", registry.host, input="wrong", fails=True
    )
    assert "unauthorized" in said.lower() or "401" in said


def test_tls(home, tls_registry, one):
    layout, digest = one
    login(home, tls_registry)
    image = tls_registry.ref("regctl/tls:v1")
    home.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", image)
    assert home.out("regctl", "image", "digest", image).strip() == digest
