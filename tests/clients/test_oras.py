"""oras: artifacts, referrers by both the interface and the fall-back tags, copies, deletion."""

import pytest

from support.images import Layout

TYPE = "application/vnd.example.readme.v1"


def login(home, registry):
    home.run(
        "oras", "login", "--plain-http", "-u", registry.user, "--password-stdin", registry.host,
        input=registry.password,
    )  # fmt: skip


@pytest.fixture
def oras(home, registry):
    login(home, registry)
    home.file("hello.txt", "hello artifact\n")
    home.file("sbom.json", '{"packages":[]}\n')
    return home


def push_image(home, registry, layout, repository):
    image = registry.ref(f"{repository}:v1")
    home.run("oras", "copy", "--from-oci-layout", f"{layout.path}:one", "--to-plain-http", image)
    return image


def test_push_pull_artifact(oras, registry, api):
    artifact = registry.ref("oras/artifact:v1")
    oras.run("oras", "push", "--plain-http", "--artifact-type", TYPE, artifact, "hello.txt:text/plain")
    assert api.manifest("oras/artifact", "v1").json()["artifactType"] == TYPE
    target = oras.path / "pulled"
    oras.run("oras", "pull", "--plain-http", "-o", target, artifact)
    assert (target / "hello.txt").read_text() == "hello artifact\n"


def attach(oras, image, kind, *flags):
    pushed = oras.json(
        "oras", "attach", "--plain-http", *flags, "--artifact-type", kind, "--format", "json", image,
        "sbom.json:application/json",
    )  # fmt: skip
    return pushed["digest"]


def discover(oras, image, *flags):
    found = oras.json("oras", "discover", "--plain-http", *flags, "--format", "json", image)
    return {entry["digest"] for entry in found.get("referrers") or found.get("manifests") or []}


def test_referrers(oras, registry, api, one):
    layout, digest = one
    image = push_image(oras, registry, layout, "oras/subject")
    first = attach(oras, image, "application/vnd.example.sbom")
    second = attach(oras, image, "application/vnd.example.scan")
    assert discover(oras, image) == {first, second}
    assert discover(oras, image, "--artifact-type", "application/vnd.example.scan") == {second}
    listed = api.referrers("oras/subject", digest)
    assert {entry["digest"] for entry in listed} == {first, second}
    assert {entry["artifactType"] for entry in listed} == {
        "application/vnd.example.sbom",
        "application/vnd.example.scan",
    }
    assert api.tags("oras/subject") == ["v1"], "no fall-back tag where the interface is there"


def test_fall_back_tags(oras, registry, api, one):
    """A client that knows only tags, and one that knows the interface, see each other's referrers."""
    layout, digest = one
    image = push_image(oras, registry, layout, "oras/fall-back")
    by_tag = ["--distribution-spec", "v1.1-referrers-tag"]
    old = attach(oras, image, "application/vnd.example.old", *by_tag)
    assert digest.replace(":", "-") in api.tags("oras/fall-back")
    assert discover(oras, image, *by_tag) == {old}
    assert old in discover(oras, image, "--distribution-spec", "v1.1-referrers-api")


def test_copy_with_referrers(oras, registry, api, one):
    layout, digest = one
    source = push_image(oras, registry, layout, "oras/tree-from")
    attached = attach(oras, source, "application/vnd.example.sbom")
    target = registry.ref("oras/tree-to:v1")
    oras.run("oras", "copy", "--recursive", "--from-plain-http", "--to-plain-http", source, target)
    assert {entry["digest"] for entry in api.referrers("oras/tree-to", digest)} == {attached}
    api.same_as(layout, "oras/tree-to", digest)


def test_copy_between_repositories_mounts(home, recorder, one):
    layout, digest = one
    registry = recorder.registry
    login(home, registry)
    source = push_image(home, registry, layout, "oras/mount-from")
    recorder.exchanges.clear()
    home.run("oras", "copy", "--from-plain-http", "--to-plain-http", source, registry.ref("oras/mount-to:v1"))
    assert layout.layers(digest) <= recorder.mounted()
    assert not layout.layers(digest) & recorder.uploaded()


def test_index(oras, registry, api, many):
    layout, digest = many
    image = registry.ref("oras/many:v1")
    oras.run("oras", "copy", "--from-oci-layout", f"{layout.path}:many", "--to-plain-http", image)
    api.same_as(layout, "oras/many", digest)
    pulled = oras.path / "pulled"
    oras.run("oras", "copy", "--from-plain-http", image, "--to-oci-layout", f"{pulled}:many")
    Layout(pulled).holds(layout, digest)


def test_blobs_tags_and_repositories(oras, registry):
    name = registry.ref("oras/parts")
    pushed = oras.json("oras", "blob", "push", "--plain-http", "--descriptor", name, "hello.txt")
    assert (
        oras.out("oras", "blob", "fetch", "--plain-http", "-o", "-", f"{name}@{pushed['digest']}") == "hello artifact\n"
    )
    oras.run("oras", "blob", "delete", "--plain-http", "--force", f"{name}@{pushed['digest']}")
    oras.run("oras", "blob", "fetch", "--plain-http", "-o", "-", f"{name}@{pushed['digest']}", fails=True)
    oras.run("oras", "push", "--plain-http", f"{name}:b,a", "hello.txt")
    assert oras.out("oras", "repo", "tags", "--plain-http", name).split() == ["a", "b"]
    assert "oras/parts" in oras.out("oras", "repo", "ls", "--plain-http", registry.host).split()


def test_manifest_delete(oras, registry, api, one):
    layout, digest = one
    image = push_image(oras, registry, layout, "oras/delete")
    attached = attach(oras, image, "application/vnd.example.sbom")
    name = registry.ref("oras/delete")
    oras.run("oras", "manifest", "delete", "--plain-http", "--force", f"{name}@{attached}")
    assert api.referrers("oras/delete", digest) == []
    oras.run("oras", "manifest", "delete", "--plain-http", "--force", f"{name}@{digest}")
    assert not api.has_manifest("oras/delete", digest)


def test_wrong_password(home, registry):
    said = home.run(
        "oras", "login", "--plain-http", "-u", registry.user, "--password-stdin", registry.host, input="wrong",
        fails=True,
    )  # fmt: skip
    assert "401" in said or "unauthorized" in said.lower()
