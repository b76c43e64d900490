"""skopeo: copies between layouts and repositories, inspection, deletion."""

import pytest

from support import images
from support.images import Layout


def signed_in(containers, registry):
    containers.know(registry)
    containers.run("skopeo", "login", "-u", registry.user, "--password-stdin", registry.host, input=registry.password)
    return containers


@pytest.fixture
def skopeo(containers, registry):
    return signed_in(containers, registry)


def test_push_and_pull_an_index(skopeo, registry, api, many):
    layout, digest = many
    image = f"docker://{registry.ref('skopeo/many:v1')}"
    skopeo.run("skopeo", "copy", "--all", "--preserve-digests", f"oci:{layout.path}:many", image)
    assert api.digest("skopeo/many", "v1") == digest
    api.same_as(layout, "skopeo/many", digest)
    pulled = skopeo.path / "pulled"
    skopeo.run("skopeo", "copy", "--all", "--preserve-digests", image, f"oci:{pulled}:many")
    Layout(pulled).holds(layout, digest)


def test_inspect_and_list(skopeo, registry, one):
    layout, digest = one
    name = registry.ref("skopeo/inspect")
    for tag in ("a", "b"):
        skopeo.run("skopeo", "copy", "--preserve-digests", f"oci:{layout.path}:one", f"docker://{name}:{tag}")
    inspected = skopeo.json("skopeo", "inspect", f"docker://{name}:a")
    assert inspected["Digest"] == digest
    assert inspected["RepoTags"] == ["a", "b"]
    assert skopeo.json("skopeo", "list-tags", f"docker://{name}")["Tags"] == ["a", "b"]


def test_copy_between_repositories_mounts(containers, recorder, one):
    layout, digest = one
    registry = recorder.registry
    skopeo = signed_in(containers, registry)
    source, target = (f"docker://{registry.ref(r)}" for r in ("skopeo/mount-from:v1", "skopeo/mount-to:v1"))
    skopeo.run("skopeo", "copy", f"oci:{layout.path}:one", source)
    recorder.exchanges.clear()
    skopeo.run("skopeo", "copy", source, target)
    assert layout.layers(digest) <= recorder.mounted()
    assert not layout.layers(digest) & recorder.uploaded()


def test_delete(skopeo, registry, api, one):
    layout, digest = one
    image = f"docker://{registry.ref('skopeo/delete:v1')}"
    skopeo.run("skopeo", "copy", f"oci:{layout.path}:one", image)
    skopeo.run("skopeo", "delete", image)
    assert not api.has_manifest("skopeo/delete", "v1")
    # skopeo deletes what the tag names, not the tag
    assert not api.has_manifest("skopeo/delete", digest)


def test_zstd(skopeo, registry, api):
    layout, _ = images.single(skopeo.path / "layout", "hello from skopeo's zstd")
    image = f"docker://{registry.ref('skopeo/zstd:v1')}"
    skopeo.run("skopeo", "copy", "--dest-compress-format", "zstd", "--format", "oci", f"oci:{layout.path}:one", image)
    digest = api.digest("skopeo/zstd", "v1")
    layers = api.manifest("skopeo/zstd", "v1").json()["layers"]
    assert {layer["mediaType"] for layer in layers} == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    pulled = skopeo.path / "pulled"
    skopeo.run("skopeo", "copy", "--preserve-digests", image, f"oci:{pulled}:one")
    assert digest in Layout(pulled).digests()


def test_wrong_password(containers, registry):
    containers.know(registry)
    said = containers.run(
        "skopeo", "login", "-u", registry.user, "--password-stdin", registry.host, input="wrong", fails=True
    )
    assert "invalid username/password" in said
