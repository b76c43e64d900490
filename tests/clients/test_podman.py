"""podman: login, push, pull, run, compression with zstd, anonymous pull, TLS."""

from support import images
from support.api import Api


def login(containers, registry, *flags):
    return containers.run(
        "podman", "login", *flags, "-u", registry.user, "--password-stdin", registry.host, input=registry.password
    )


def load(containers, layout, name, tag="one"):
    """Brings the image of a layout into podman's store under a name."""
    containers.run("skopeo", "copy", f"oci:{layout.path}:{tag}", f"containers-storage:{name}")


def test_login_push_pull_run(containers, registry, api, one):
    layout, _ = one
    containers.know(registry)
    image = registry.ref("podman/first:v1")
    assert "Login Succeeded" in login(containers, registry)
    load(containers, layout, image)
    containers.run("podman", "push", image)
    pushed = api.digest("podman/first", "v1")
    containers.run("podman", "rmi", "--force", image)
    containers.run("podman", "pull", image)
    assert containers.out("podman", "image", "inspect", "-f", "{{.Digest}}", image).strip() == pushed
    said = containers.run("podman", "run", "--rm", "--network", "none", image)
    assert said.strip() == "hello from a layer"


def test_zstd(containers, registry, api):
    # layers of its own: podman would reuse a gzip variant that it knows the registry to have
    layout, _ = images.single(containers.path / "layout", "hello from podman's zstd")
    containers.know(registry)
    image = registry.ref("podman/zstd:v1")
    login(containers, registry)
    load(containers, layout, image)
    containers.run("podman", "push", "--compression-format", "zstd", image)
    layers = api.manifest("podman/zstd", "v1").json()["layers"]
    assert {layer["mediaType"] for layer in layers} == {"application/vnd.oci.image.layer.v1.tar+zstd"}
    containers.run("podman", "rmi", "--force", image)
    containers.run("podman", "pull", image)
    assert containers.run("podman", "run", "--rm", "--network", "none", image).strip() == "hello from podman's zstd"


def test_wrong_password(containers, registry):
    containers.know(registry)
    said = containers.run(
        "podman", "login", "-u", registry.user, "--password-stdin", registry.host, input="wrong", fails=True
    )
    assert "invalid username/password" in said


def test_architectures(containers, registry, many):
    layout, digest = many
    containers.know(registry)
    login(containers, registry)
    image = registry.ref("podman/many:v1")
    containers.run("skopeo", "copy", "--all", f"oci:{layout.path}:many", f"docker://{image}")
    for architecture in ("amd64", "arm64"):
        containers.run("podman", "pull", "--arch", architecture, image)
        got = containers.out("podman", "image", "inspect", "-f", "{{.Architecture}}", image).strip()
        assert got == architecture
    containers.run("podman", "pull", "--arch", "amd64", registry.ref(f"podman/many@{digest}"))


def test_anonymous_pull(containers, public_registry, one):
    layout, _ = one
    containers.know(public_registry)
    public, private = public_registry.ref("public/podman:v1"), public_registry.ref("private/podman:v1")
    login(containers, public_registry)
    for image in (public, private):
        load(containers, layout, image)
        containers.run("podman", "push", image)
    containers.run("podman", "logout", public_registry.host)
    containers.run("podman", "rmi", "--force", "--all")
    containers.run("podman", "pull", public)
    containers.run("podman", "pull", private, fails=True)
    containers.run("podman", "push", public, fails=True)


def test_tls(containers, tls_registry, one):
    layout, _ = one
    image = tls_registry.ref("podman/tls:v1")
    certificates = containers.path / "certs"
    certificates.mkdir()
    (certificates / "ca.crt").write_bytes(tls_registry.ca.read_bytes())
    trust = ["--cert-dir", certificates]
    login(containers, tls_registry, *trust)
    load(containers, layout, image)
    containers.run("podman", "push", *trust, image)
    containers.run("podman", "rmi", "--force", image)
    assert "certificate" in containers.run("podman", "pull", image, fails=True)
    containers.run("podman", "pull", *trust, image)
    assert Api(tls_registry).has_manifest("podman/tls", "v1")
