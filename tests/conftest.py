"""Fixtures that all suites share: servers, registries, homes.

BERTH_BIN is the server under test (default: the release build in CARGO_TARGET_DIR). To work on
the tests without it, BERTH_TEST_URL, BERTH_TEST_USER and BERTH_TEST_PASSWORD name another registry;
then, and only then, tests that need the server process itself are skipped.

BERTH_TEST_NODES=2 puts so many nodes on one PostgreSQL database and one bucket of SeaweedFS, behind a round-robin, in
the place of each server.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from support import images
from support.api import Api
from support.nodes import backends, running_nodes
from support.recorder import Recorder
from support.server import Registry, running
from support.tools import Home

FOREIGN = os.environ.get("BERTH_TEST_URL")
NODES = int(os.environ.get("BERTH_TEST_NODES") or 1)


def pytest_configure():
    """SIGTERM ends a run as Ctrl-C does: fixtures stop their servers."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    if NODES > 1:
        markers = ("own_binary", "once")
        others = [item for item in items if any(item.get_closest_marker(name) for name in markers)]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)
    if not FOREIGN:
        return
    for item in items:
        if item.get_closest_marker("needs_berth"):
            item.add_marker(pytest.mark.skip(reason="BERTH_TEST_URL names a foreign registry"))


def pytest_sessionfinish(session):
    """A skipped test is a failed one, unless the server under test is not Berth at all."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not FOREIGN and reporter.stats.get("skipped") and session.exitstatus == 0:
        session.exitstatus = 1


@pytest.fixture(scope="session")
def scratch():
    """A short path: sockets below it must fit in 108 bytes."""
    path = Path(tempfile.mkdtemp(prefix="berth-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def berth_bin():
    default = Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release/berth"
    path = Path(os.environ.get("BERTH_BIN") or default)
    assert path.is_file(), f"no server at {path}: build it (cargo build --release) or set BERTH_BIN"
    return str(path.resolve())


@pytest.fixture(scope="session")
def shared_backends():
    """One PostgreSQL and one SeaweedFS for all registries of the run."""
    with backends() as servers:
        yield servers


@pytest.fixture(scope="session")
def node_count():
    """The nodes that each server of `serve` has."""
    return NODES


@pytest.fixture(scope="session")
def serve(request, scratch):
    """Starts a registry of the shape that was asked for, until the end of a block: `with serve(name, *flags) as server`.

    `tls` is the certificate and key to speak TLS with: several nodes leave that to the proxy in front. `settings` are
    variables of the server's environment.
    """

    def one(name, *flags, tls=None, settings=None):
        if tls:
            flags += ("--tls-cert", tls["certificate"], "--tls-key", tls["key"])
        return running(request.getfixturevalue("berth_bin"), scratch / name, *flags, settings=settings)

    def several(name, *flags, tls=None, settings=None):
        binaries, shared = [request.getfixturevalue("berth_bin")] * NODES, request.getfixturevalue("shared_backends")
        return running_nodes(binaries, scratch / name, shared, *flags, tls=tls, settings=settings)

    return one if NODES == 1 else several


@pytest.fixture(scope="session")
def registry(request):
    """The registry that most tests share; each uses repositories of its own."""
    if FOREIGN:
        yield Registry(FOREIGN, os.environ["BERTH_TEST_USER"], os.environ["BERTH_TEST_PASSWORD"])
        return
    # All tests come from one address, and many of them show credentials that are wrong.
    many = {"BERTH_AUTH__FAILED_LOGINS": "1000000", "BERTH_AUTH__FAILED_LOGINS_OF_ADDRESS": "1000000"}
    with request.getfixturevalue("serve")("shared", settings=many) as server:
        yield server.registry()


@pytest.fixture(scope="session")
def certificates(scratch):
    """A certificate authority, and a server certificate for 127.0.0.1 that it signed."""
    folder = scratch / "tls"
    folder.mkdir()

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority = ["-subj", "/CN=Berth test CA", "-addext", "keyUsage=critical,keyCertSign"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", *authority)
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.ext"]
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.crt", "-days", "2", *signer)
    return folder


@pytest.fixture(scope="session")
def tls_registry(serve, certificates):
    """A registry that speaks TLS only."""
    tls = {"certificate": certificates / "server.crt", "key": certificates / "server.key"}
    with serve("tls-server", tls=tls) as server:
        assert server.url.startswith("https://"), server.url
        yield server.registry(ca=certificates / "ca.crt")


@pytest.fixture(scope="session")
def public_registry(serve):
    """A registry where anybody may pull `public/*`."""
    with serve("public-server", "--anonymous-pull", "public/*") as server:
        yield server.registry()


@pytest.fixture
def own_server(serve, request):
    """A server for one test, which may stop, kill and restart it."""
    with serve(f"own-{request.node.path.stem}-{request.node.name[:40]}") as server:
        yield server


@pytest.fixture
def api(registry):
    return Api(registry)


@pytest.fixture
def recorder(registry):
    """The shared registry seen through a proxy that notes every exchange."""
    with Recorder(registry) as recorder:
        yield recorder


@pytest.fixture
def home(scratch, request):
    # Sockets lie below it, whose names must not be long.
    unique = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:8]
    return Home(scratch / f"{request.node.path.stem}-{request.node.name[:30]}-{unique}")


@pytest.fixture(scope="session")
def one(scratch):
    """An OCI layout with one image, and the image's digest."""
    return images.single(scratch / "layout-one")


@pytest.fixture(scope="session")
def many(scratch):
    """An OCI layout with an index for two architectures, and the index's digest."""
    return images.multi(scratch / "layout-many")
