"""Debian's Docker engine: login, push, pull, run, mount, lists of manifests."""

from support.api import Api
from support.images import BUSYBOX

DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
ENTRYPOINT ["/bin/busybox"]
CMD ["echo", "hello from docker"]
"""


def build(docker, name):
    """A one-layer image whose layer no other test pushes."""
    context = docker.home.path / "context"
    context.mkdir()
    (context / "busybox").write_bytes(BUSYBOX.read_bytes())
    (context / "busybox").chmod(0o755)
    (context / "Dockerfile").write_text(DOCKERFILE + f"LABEL test={docker.home.path.name}\n")
    docker("build", "--network", "none", "-t", name, context)


def pushed_digest(output):
    return output.split("digest: ")[1].split()[0]


def test_login_push_pull_run(docker, registry, api):
    image = registry.ref("docker/first:v1")
    assert "Login Succeeded" in docker.login(registry)
    build(docker, image)
    digest = pushed_digest(docker("push", image))
    assert api.digest("docker/first", "v1") == digest
    docker("rmi", image)
    docker("pull", image)
    assert docker.inspect(image, "{{index .RepoDigests 0}}") == registry.ref(f"docker/first@{digest}")
    assert docker("run", "--rm", "--network", "none", image).strip() == "hello from docker"


def test_pull_by_digest(docker, registry, api):
    image = registry.ref("docker/by-digest:v1")
    docker.login(registry)
    build(docker, image)
    digest = pushed_digest(docker("push", image))
    by_digest = registry.ref(f"docker/by-digest@{digest}")
    docker("rmi", image)
    docker("pull", by_digest)
    assert docker("run", "--rm", "--network", "none", by_digest, "echo", "again").strip() == "again"


def test_wrong_password(docker, registry):
    said = docker("login", "-u", registry.user, "--password-stdin", registry.host, input="wrong", fails=True)
    assert "401 Unauthorized" in said
    assert "no basic auth credentials" in docker("pull", registry.ref("docker/first:v1"), fails=True)


def test_push_to_a_second_repository_mounts(docker, recorder):
    registry = recorder.registry
    first, second = registry.ref("docker/mount-from:v1"), registry.ref("docker/mount-to:v1")
    docker.login(registry)
    build(docker, first)
    docker("push", first)
    docker("tag", first, second)
    recorder.exchanges.clear()
    said = docker("push", second)
    assert "Mounted from docker/mount-from" in said
    assert len(recorder.mounted()) == 1


def test_pulls_its_architecture_from_an_index(docker, registry, many, home):
    layout, digest = many
    home.run("crane", "auth", "login", registry.host, "-u", registry.user, "-p", registry.password)
    home.run("crane", "push", "--index", layout.path, registry.ref("docker/many:v1"))
    # crane wraps a layout with one entry in an index of its own
    image = registry.ref(f"docker/many@{digest}")
    docker("pull", image)
    assert docker("run", "--rm", "--network", "none", image).strip() == "hello amd64"


def test_manifest_list(docker, registry, api):
    image, listed = registry.ref("docker/list:amd64"), registry.ref("docker/list:all")
    docker.login(registry)
    build(docker, image)
    digest = pushed_digest(docker("push", image))
    experimental = {"env": {"DOCKER_CLI_EXPERIMENTAL": "enabled"}}
    docker("manifest", "create", "--insecure", listed, image, **experimental)
    docker("manifest", "push", "--insecure", listed, **experimental)
    pushed = api.manifest("docker/list", "all").json()
    assert pushed["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    assert [child["digest"] for child in pushed["manifests"]] == [digest]


def test_anonymous_pull(docker, public_registry):
    image = public_registry.ref("public/hello:v1")
    docker.login(public_registry)
    build(docker, image)
    docker("push", image)
    docker("tag", image, public_registry.ref("private/hello:v1"))
    docker("push", public_registry.ref("private/hello:v1"))
    docker("logout", public_registry.host)
    docker("rmi", image)
    docker("pull", image)
    docker("pull", public_registry.ref("private/hello:v1"), fails=True)
    docker("push", image, fails=True)


def test_tls(tls_docker, tls_registry):
    """The engine never checks certificates of loopback addresses; that it speaks TLS is what is seen here."""
    image = tls_registry.ref("docker/tls:v1")
    tls_docker.login(tls_registry)
    build(tls_docker, image)
    digest = pushed_digest(tls_docker("push", image))
    assert Api(tls_registry).digest("docker/tls", "v1") == digest
    tls_docker("rmi", image)
    tls_docker("pull", image)
