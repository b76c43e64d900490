"""The engines that clients need: a Docker engine, a containerd, and the containers/* configuration; and the registry as AWS."""

import ctypes
import json
import os
import signal
import subprocess
from contextlib import contextmanager

import pytest

from support.aws import Aws
from support.ecr import Ecr
from support.postgres import Postgres
from support.server import die_with_parent, wait_until
from support.tools import Home

# Several nodes have a PostgreSQL database in any case.
ONE_NODE = int(os.environ.get("BERTH_TEST_NODES") or 1) == 1
DATABASES = ["sqlite", "postgres"] if ONE_NODE else ["nodes"]
STORES = ["sqlite-and-files", "postgres-and-s3"] if ONE_NODE else ["nodes"]

SYSTEM_FOLDERS = ["/var/lib/containers", "/run/containers", "/run/libpod", "/etc/docker"]


@pytest.fixture(scope="session", autouse=True)
def own_mounts(scratch):
    """Puts this process and its children into a mount namespace of their own.

    As root, some clients use system folders whatever their home is (skopeo remembers there which
    registry has which blob, and what an earlier run left changes what it sends): here those folders
    are empty ones. Whatever the engines mount is gone when the last of them ends.
    """
    assert os.geteuid() == 0, "the client tests must run as root: container engines need it"
    clone_newns = 0x00020000
    assert ctypes.CDLL(None, use_errno=True).unshare(clone_newns) == 0, os.strerror(ctypes.get_errno())
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for folder in SYSTEM_FOLDERS:
        os.makedirs(folder, exist_ok=True)
        own = scratch / "system" / folder.replace("/", "_")
        own.mkdir(parents=True)
        subprocess.run(["mount", "--bind", own, folder], check=True)


@contextmanager
def daemon(command, home, socket, log):
    """A daemon of ours from when its socket answers until the end of the block."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=home.env,
            cwd=home.path,
            preexec_fn=die_with_parent,
        )
    try:
        wait_until(
            f"{command[0]} to make {socket}, its log:\n{log.read_text()}",
            lambda: socket.exists() or process.poll() is not None,
        )
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Docker:
    """Debian's client for an engine of ours. The engine, not the client, talks to registries."""

    def __init__(self, home, socket):
        self.home = home
        self.prefix = ["/usr/bin/docker", "-H", f"unix://{socket}"]

    def __call__(self, *arguments, **options):
        return self.home.run(*self.prefix, *arguments, **options)

    def login(self, registry):
        return self("login", "-u", registry.user, "--password-stdin", registry.host, input=registry.password)

    def inspect(self, image, template):
        return self("image", "inspect", "-f", template, image).strip()


def docker_engine(folder, authorities=None):
    """Starts dockerd with every path of its own, no bridge and no packet filter rules.

    An engine takes an address in 127.0.0.0/8 for one that may speak plain HTTP.
    """
    home = Home(folder)
    config = home.file("daemon.json", "{}")
    socket = folder / "docker.sock"
    if authorities:
        home.env["SSL_CERT_FILE"] = str(authorities)
    command = ["/usr/sbin/dockerd", "--config-file", config, "--data-root", folder / "root"]
    command += ["--exec-root", folder / "exec", "--pidfile", folder / "pid", "--host", f"unix://{socket}"]
    command += ["--iptables=false", "--ip6tables=false", "--bridge=none"]
    return home, socket, daemon(command, home, socket, folder / "log")


@pytest.fixture(scope="session")
def docker_daemon(scratch):
    home, socket, running = docker_engine(scratch / "dockerd")
    with running:
        docker = Docker(home, socket)
        wait_until("the engine to answer", lambda: engine_answers(docker))
        yield socket


def engine_answers(docker):
    return subprocess.run([*docker.prefix, "info"], env=docker.home.env, capture_output=True).returncode == 0


@pytest.fixture
def docker(docker_daemon, home):
    return Docker(home, docker_daemon)


@pytest.fixture
def tls_docker(scratch, certificates):
    """An engine that knows our certificate authority."""
    home, socket, running = docker_engine(scratch / "dockerd-tls", certificates / "ca.crt")
    with running:
        docker = Docker(home, socket)
        wait_until("the engine to answer", lambda: engine_answers(docker))
        yield docker


@pytest.fixture(scope="session")
def containerd(scratch):
    """A containerd of our own; yields its socket."""
    folder = scratch / "containerd"
    home = Home(folder)
    socket = folder / "sock"
    config = home.file(
        "config.toml",
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\n  address = "{socket}"\n',
    )
    with daemon(["/usr/bin/containerd", "--config", config], home, socket, folder / "log"):
        yield socket


@pytest.fixture
def containers(home):
    """A home in which podman, buildah and skopeo keep to themselves. Call the result with a registry."""
    home.file(".config/containers/policy.json", json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
    storage = home.file(
        "storage.conf",
        f'[storage]\ndriver = "overlay"\nrunroot = "{home.path}/run"\ngraphroot = "{home.path}/graph"\n',
    )
    # The ulimits are below what an unprivileged root may set; runc works with every cgroup layout.
    engine = home.file(
        "containers.conf",
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "runc"\n'
        f'tmp_dir = "{home.path}/tmp"\n'
        '[containers]\nnetns = "host"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n',
    )
    registries = home.path / ".config/containers/registries.conf"
    home.env |= {
        "CONTAINERS_STORAGE_CONF": str(storage),
        "CONTAINERS_CONF": str(engine),
        "CONTAINERS_REGISTRIES_CONF": str(registries),
    }

    def know(*plain):
        """Writes which registries may be spoken to in plain HTTP."""
        text = "unqualified-search-registries = []\n"
        for registry in plain:
            text += f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n'
        registries.write_text(text)
        return home

    know()
    home.know = know
    yield home
    subprocess.run(["podman", "system", "reset", "--force"], env=home.env, capture_output=True)


@pytest.fixture(scope="session", params=DATABASES)
def database_server(request, serve):
    """A registry for identities, on each kind of database."""
    if request.param != "postgres":
        with serve(f"identities-{request.param}") as server:
            yield server
        return
    with Postgres() as postgres:
        url = postgres.url(postgres.create_database())
        with serve("identities-postgres", settings={"BERTH_DATABASE__URL": url}) as server:
            yield server


@pytest.fixture(scope="module")
def aws(database_server, node_count):
    """That registry by AWS's SDK; what is called is noted for each module."""
    return Aws(database_server.registry(), node_count)


@pytest.fixture
def account(aws):
    """An account in which there is only its administrator."""
    return aws.account()


@pytest.fixture(scope="session")
def shared_aws(registry, node_count):
    """The registry that most tests share, by AWS's SDK."""
    return Aws(registry, node_count)


@pytest.fixture(scope="session")
def bearer_aws(serve, node_count):
    """A registry that asks for bearer tokens, by AWS's SDK."""
    with serve("bearer-server", settings={"BERTH_AUTH__CHALLENGE": "bearer"}) as server:
        yield Aws(server.registry(), node_count)


@pytest.fixture(scope="session", params=STORES)
def ecr_server(request, serve):
    """A registry for images, on each pair of a database and a store."""
    settings = request.getfixturevalue("shared_backends").fresh() if request.param == "postgres-and-s3" else None
    with serve(f"ecr-{request.param}", settings=settings) as server:
        yield server


@pytest.fixture(scope="module")
def ecr_aws(ecr_server, node_count):
    """That registry by AWS's SDK; what is called is noted for each module."""
    return Aws(ecr_server.registry(), node_count)


@pytest.fixture
def ecr(ecr_aws):
    """ECR of that registry, to its administrator."""
    return Ecr(ecr_aws)
