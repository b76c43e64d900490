"""crane: push, pull, copy with mount, index, tags, deletion, anonymous pull, TLS."""

import json

import pytest

from support import images
from support.api import Api
from support.images import Layout


def login(home, registry):
    home.run("crane", "auth", "login", registry.host, "-u", registry.user, "--password-stdin", input=registry.password)


@pytest.fixture
def crane(home, registry):
    login(home, registry)
    return home


def single_image(home, layout, digest):
    """crane pushes a layout folder whose index names exactly one image as that image."""
    copy = Layout(home.path / f"single-{digest[-8:]}")
    for blob in layout.digests():
        copy.add(layout.blob(blob), "application/octet-stream")
    manifest = json.loads((layout.path / "index.json").read_bytes())["manifests"][0]
    copy.tag({k: v for k, v in manifest.items() if k != "annotations"}, "one")
    assert digest in copy.digests()
    return copy.path


def test_push_pull(crane, registry, api, one):
    layout, digest = one
    image = registry.ref("crane/first:v1")
    crane.run("crane", "push", single_image(crane, layout, digest), image)
    assert crane.out("crane", "digest", image).strip() == digest
    api.same_as(layout, "crane/first", digest)
    pulled = crane.path / "pulled"
    crane.run("crane", "pull", "--format", "oci", image, pulled)
    Layout(pulled).holds(layout, digest)
    crane.run("crane", "validate", "--remote", image)


def test_config_export_and_blob(crane, registry, one):
    layout, digest = one
    image = registry.ref("crane/parts:v1")
    crane.run("crane", "push", single_image(crane, layout, digest), image)
    config = crane.json("crane", "config", image)
    assert config["architecture"] == "amd64"
    crane.run("crane", "export", image, crane.path / "root.tar")
    assert "bin/busybox" in crane.run("tar", "-tf", crane.path / "root.tar")


def test_copy_between_repositories_mounts(home, recorder, one):
    layout, digest = one
    registry = recorder.registry
    login(home, registry)
    source, target = registry.ref("crane/mount-from:v1"), registry.ref("crane/mount-to:v1")
    home.run("crane", "push", single_image(home, layout, digest), source)
    recorder.exchanges.clear()
    home.run("crane", "copy", source, target)
    assert layout.layers(digest) <= recorder.mounted()
    assert not layout.layers(digest) & recorder.uploaded()
    assert home.out("crane", "digest", target).strip() == digest


def test_index_append(crane, registry, api, many, one):
    layout, digest = many
    _, extra = one
    crane.run("crane", "push", single_image(crane, *one), registry.ref("crane/index:one"))
    crane.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", registry.host)
    crane.run("regctl", "image", "copy", f"ocidir://{layout.path}:many", registry.ref("crane/index:many"))
    assert api.digest("crane/index", "many") == digest
    crane.run(
        "crane", "index", "append", registry.ref("crane/index:many"), "-m", registry.ref("crane/index:one"),
        "-t", registry.ref("crane/index:more"),
    )  # fmt: skip
    children = api.manifest("crane/index", "more").json()["manifests"]
    assert len(children) == 3
    assert extra in {child["digest"] for child in children}


def test_tags_catalog_and_deletion(crane, registry, api, one):
    layout, digest = one
    image = registry.ref("crane/delete")
    crane.run("crane", "push", single_image(crane, layout, digest), f"{image}:v1")
    crane.run("crane", "tag", f"{image}:v1", "v2")
    assert crane.out("crane", "ls", image).split() == ["v1", "v2"]
    assert "crane/delete" in crane.out("crane", "catalog", registry.host).split()
    crane.run("crane", "delete", f"{image}:v1")
    assert api.tags("crane/delete") == ["v2"], "deleting a tag leaves the image and its other tags"
    crane.run("crane", "delete", f"{image}@{digest}")
    assert not api.has_manifest("crane/delete", digest)
    assert api.tags("crane/delete") == []


def test_append_and_mutate(crane, registry, api, one):
    layout, digest = one
    image = registry.ref("crane/mutate:v1")
    crane.run("crane", "push", single_image(crane, layout, digest), image)
    crane.run("crane", "mutate", image, "--label", "made.by=test", "-t", registry.ref("crane/mutate:v2"))
    assert crane.json("crane", "config", registry.ref("crane/mutate:v2"))["config"]["Labels"] == {"made.by": "test"}
    assert api.digest("crane/mutate", "v1") == digest


def test_wrong_password(home, registry):
    home.run("crane", "auth", "login", registry.host, "-u", registry.user, "-p", "wrong")
    said = home.run("crane", "ls", registry.ref("crane/first"), fails=True)
    assert "UNAUTHORIZED" in said or "401" in said


def test_anonymous_pull(home, public_registry, one):
    layout, digest = one
    public, private = public_registry.ref("public/crane:v1"), public_registry.ref("private/crane:v1")
    login(home, public_registry)
    folder = single_image(home, layout, digest)
    for image in (public, private):
        home.run("crane", "push", folder, image)
    home.run("crane", "auth", "logout", public_registry.host)
    home.run("crane", "pull", "--format", "oci", public, home.path / "pulled")
    Layout(home.path / "pulled").holds(layout, digest)
    other = single_image(home, *images.single(home.path / "other", "hello from nobody"))
    for refused in (["pull", private, home.path / "no"], ["push", other, public], ["delete", public]):
        said = home.run("crane", *refused, fails=True)
        assert "UNAUTHORIZED" in said or "401" in said


def test_tls(home, tls_registry, one):
    layout, digest = one
    image = tls_registry.ref("crane/tls:v1")
    login(home, tls_registry)
    folder = single_image(home, layout, digest)
    assert "certificate" in home.run("crane", "push", folder, image, fails=True)
    home.env["SSL_CERT_FILE"] = str(tls_registry.ca)
    home.run("crane", "push", folder, image)
    assert home.out("crane", "digest", image).strip() == digest
    Api(tls_registry).same_as(layout, "crane/tls", digest)
