"""containerd's `ctr`: import, push, pull, run, and a pull over TLS."""

import pytest

from support.api import Api


@pytest.fixture
def ctr(containerd, home, request):
    """`ctr` in a namespace of the test's own."""

    def run(*arguments, **options):
        return home.run("ctr", "-a", containerd, "-n", request.node.name, *arguments, **options)

    return run


def account(registry):
    return ["--user", f"{registry.user}:{registry.password}"]


def test_push_pull_run(ctr, home, registry, api, many):
    layout, digest = many
    image = registry.ref("ctr/many:v1")
    home.run("crane", "auth", "login", registry.host, "-u", registry.user, "-p", registry.password)
    home.run("regctl", "registry", "set", "--skip-check", "--tls", "disabled", registry.host)
    home.run("regctl", "image", "copy", f"ocidir://{layout.path}:many", image)

    ctr("images", "pull", "--plain-http", *account(registry), "--all-platforms", image)
    listed = ctr("images", "ls")
    assert digest in listed
    assert ctr("run", "--rm", "--net-host", image, "job").strip() == "hello amd64"

    copy = registry.ref("ctr/again:v1")
    ctr("images", "tag", image, copy)
    ctr("images", "push", "--plain-http", *account(registry), copy)
    assert api.digest("ctr/again", "v1") == digest
    api.same_as(layout, "ctr/again", digest)


def test_wrong_password(ctr, registry):
    said = ctr(
        "images", "pull", "--plain-http", "--user", f"{registry.user}:wrong", registry.ref("ctr/many:v1"), fails=True
    )
    assert "401 Unauthorized" in said or "authorization failed" in said


def test_tls(ctr, home, tls_registry, one):
    """containerd checks no certificate of a loopback address; that it speaks TLS is what is seen here."""
    layout, digest = one
    image = tls_registry.ref("ctr/tls:v1")
    home.env["SSL_CERT_FILE"] = str(tls_registry.ca)
    home.run("regctl", "registry", "login", tls_registry.host, "-u", tls_registry.user, "-p", tls_registry.password)
    home.run("regctl", "image", "copy", f"ocidir://{layout.path}:one", image)

    pull = ["images", "pull", "--hosts-dir", home.path / "hosts", *account(tls_registry), image]
    home.file(
        f"hosts/{tls_registry.host}/hosts.toml",
        f'[host."{tls_registry.url}"]\nca = "{tls_registry.ca}"\n',
    )
    ctr(*pull)
    assert digest in ctr("images", "ls")
    assert Api(tls_registry).digest("ctr/tls", "v1") == digest
