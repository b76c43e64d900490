"""TLS: Mozilla's profiles as sslyze judges them, certificates replaced under load, and clients that show certificates."""

import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from support import ports
from support.server import Registry, wait_until

pytestmark = [pytest.mark.needs_berth, pytest.mark.once]

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
CLIENTS = 6
# An address of this machine beside the loopback: docker uses no certificates with registries in 127.0.0.0/8.
AWAY = "198.51.100.77"


class Authority:
    """A certificate authority in a folder of its own, and what it signs."""

    def __init__(self, folder, name="Berth test CA"):
        folder.mkdir(parents=True)
        self.folder, self.certificate = folder, folder / "ca.crt"
        own = ["-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign"]
        self.openssl("req", "-x509", *CURVE, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30", *own)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name, extensions, key=CURVE, days=90):
        """The paths of a certificate and its key, PKCS #8."""
        certificate, private = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        self.openssl("req", *key, "-keyout", private, "-out", f"{name}.csr", "-subj", f"/CN={name}/O=Example")
        (self.folder / f"{name}.ext").write_text(extensions)
        signer = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext"]
        self.openssl("x509", "-req", "-sha256", "-in", f"{name}.csr", "-out", certificate, "-days", days, *signer)
        return certificate, private

    def server(self, name, **how):
        return self.sign(name, f"subjectAltName=IP:127.0.0.1,IP:{AWAY},DNS:localhost\nextendedKeyUsage=serverAuth\n", **how)

    def client(self, name):
        return self.sign(name, f"subjectAltName=DNS:{name}.example\nextendedKeyUsage=clientAuth\n")


@pytest.fixture(scope="module")
def authority(scratch):
    return Authority(scratch / "authority")


def settings_of(name, **values):
    """The settings of a listener, as environment."""
    return {f"BERTH_LISTENER__{name.upper()}__{key.upper()}": str(value) for key, value in values.items()}


def sslyze(address, profile, authority):
    trust = ["--certinfo", "--certinfo_ca_file", authority.certificate]
    command = [Path(sys.executable).parent / "sslyze", *trust, f"--mozilla_config={profile}", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@pytest.mark.parametrize("key", ["p256", "rsa"])
def test_mozillas_profiles(serve, authority, key):
    kinds = {"p256": CURVE, "rsa": ["-newkey", "rsa:2048", "-nodes"]}
    certificate, private = authority.server(f"sslyze-{key}", key=kinds[key])
    [new] = ports.free_ports(1)
    modern = settings_of(
        "new", listen=f"127.0.0.1:{new}", tls_cert=certificate, tls_key=private, tls_versions="1.3"
    )
    tls = {"certificate": certificate, "key": private}
    with serve(f"sslyze-{key}", tls=tls, settings=modern) as server:
        judged = sslyze(server.registry().host, "intermediate", authority)
        assert judged.returncode == 0, judged.stdout + judged.stderr
        assert f"{server.registry().host}: OK - Compliant." in judged.stdout, judged.stdout
        if key == "p256":
            judged = sslyze(f"127.0.0.1:{new}", "modern", authority)
            assert judged.returncode == 0, judged.stdout + judged.stderr
            # The profile is no formality: the listener that also speaks TLS 1.2 is not modern.
            judged = sslyze(server.registry().host, "modern", authority)
            assert judged.returncode != 0, judged.stdout


class Load:
    """Clients that ask and ask, each request on a new connection or many on one, by one version of HTTP."""

    def __init__(self, url, authorities):
        self.url, self.authorities = url, authorities
        self.over, self.done, self.failed = threading.Event(), 0, []
        self.lock = threading.Lock()

    def ask(self, version, kept):
        """Some requests by one curl: on one connection that is kept, or each on its own."""
        urls = [f"{self.url}/healthz"] * 20
        command = ["curl", "-sS", "--fail", version, "--cacert", self.authorities, "-w", "%{http_version} %{http_code}\n"]
        command += [] if kept else ["--no-keepalive", "-H", "Connection: close"]
        for url in urls:
            command += ["-o", "/dev/null", url]
        ran = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)
        answers = ran.stdout.split("\n")[:-1]
        expected = "2 200" if version == "--http2" else "1.1 200"
        with self.lock:
            self.done += len(answers)
            if ran.returncode or len(answers) != len(urls) or set(answers) != {expected}:
                self.failed.append((ran.returncode, ran.stderr, answers))

    def run(self, version, kept):
        while not self.over.is_set():
            self.ask(version, kept)

    def __enter__(self):
        manners = [("--http1.1", True), ("--http1.1", False), ("--http2", True)] * (CLIENTS // 3)
        self.threads = [threading.Thread(target=self.run, args=manner) for manner in manners]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


def serial(address):
    shown = subprocess.run(["openssl", "s_client", "-connect", address], stdin=subprocess.DEVNULL, capture_output=True)
    text = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=shown.stdout, capture_output=True, check=True)
    return text.stdout


def install(pair, folder):
    """Puts a pair in place as a mounted secret is: a link is moved over another."""
    version = folder / f"pair-{time.monotonic_ns()}"
    version.mkdir()
    for source, name in zip(pair, ("tls.crt", "tls.key"), strict=True):
        shutil.copy(source, version / name)
    (folder / "next").symlink_to(version)
    (folder / "next").rename(folder / "current")


def test_a_certificate_is_replaced_under_load(serve, authority, scratch):
    folder = scratch / "replaced"
    folder.mkdir()
    pairs = [authority.server(f"replaced-{number}") for number in range(4)]
    install(pairs[0], folder)
    tls = {"certificate": folder / "current/tls.crt", "key": folder / "current/tls.key"}
    with serve("replaced-server", tls=tls) as server:
        address = server.registry().host
        seen = [serial(address)]
        with Load(server.url, authority.certificate) as load:
            for pair in pairs[1:]:
                wait_until("requests", lambda before=load.done: load.done > before + 100)
                install(pair, folder)
                wait_until("the new certificate", lambda: serial(address) != seen[-1])
                seen.append(serial(address))
            wait_until("requests", lambda before=load.done: load.done > before + 100)
        assert not load.failed, load.failed[:3]
        assert load.done > 400 and len(set(seen)) == len(pairs)


@pytest.fixture(scope="module")
def away():
    subprocess.run(["ip", "address", "add", f"{AWAY}/32", "dev", "lo"], check=True)
    yield AWAY
    subprocess.run(["ip", "address", "delete", f"{AWAY}/32", "dev", "lo"], check=True)


@pytest.fixture(scope="module")
def required(serve, authority, away):
    """A registry with a listener that nobody comes in by without a certificate that names `robot`."""
    certificate, private = authority.server("required")
    [port] = ports.free_ports(1)
    listener = settings_of(
        "private",
        listen=f"{away}:{port}",
        tls_cert=certificate,
        tls_key=private,
        client_certificates="required",
        client_ca=authority.certificate,
        client_names="robot.example",
    )
    with serve("required-server", settings=listener) as server:
        yield Registry(f"https://{away}:{port}", server.user, server.password, authority.certificate)


def certs_d(folder, registry, pair=None):
    """A folder as docker has for a registry: `ca.crt`, and `client.cert` with `client.key`."""
    own = folder / registry.host
    own.mkdir(parents=True)
    shutil.copy(registry.ca, own / "ca.crt")
    if pair:
        shutil.copy(pair[0], own / "client.cert")
        shutil.copy(pair[1], own / "client.key")
    return own


def test_skopeo_with_a_certificate(containers, required, authority, one):
    """skopeo reads docker's folders of certificates, as podman and buildah do."""
    layout, digest = one
    pairs = {"robot": authority.client("robot"), "other": authority.client("other"), "none": None}
    login = ["--dest-creds", f"{required.user}:{required.password}"]
    for name, pair in pairs.items():
        folder = certs_d(containers.path / name, required, pair)
        target = f"docker://{required.ref(f'tls/{name}:v1')}"
        copy = ["skopeo", "copy", "--dest-cert-dir", folder, *login, f"oci:{layout.path}:one", target]
        containers.run(*copy, fails=name != "robot")
    inspect = ["skopeo", "inspect", "--cert-dir", containers.path / "robot" / required.host]
    found = containers.json(*inspect, "--creds", f"{required.user}:{required.password}", f"docker://{required.ref('tls/robot:v1')}")
    assert found["Digest"] == digest


def test_docker_with_a_certificate(docker, required, authority, one, containers):
    """The engine finds `/etc/docker/certs.d/HOST/client.cert` by itself."""
    layout, digest = one
    folder = certs_d(containers.path / "robot", required, authority.client("robot"))
    target = f"docker://{required.ref('tls/docker:v1')}"
    login = ["--dest-creds", f"{required.user}:{required.password}"]
    containers.run("skopeo", "copy", "--dest-cert-dir", folder, *login, f"oci:{layout.path}:one", target)
    system = Path("/etc/docker/certs.d")
    certs_d(system, required, authority.client("docker-other"))
    login = ["login", required.host, "-u", required.user, "--password-stdin"]
    docker(*login, input=required.password, fails=True)
    shutil.rmtree(system)
    certs_d(system, required, authority.client("robot"))
    try:
        docker.login(required)
        docker("pull", required.ref("tls/docker:v1"))
        pulled = docker.inspect(required.ref("tls/docker:v1"), "{{json .RepoDigests}}")
        assert required.ref(f"tls/docker@{digest}") in json.loads(pulled)
    finally:
        shutil.rmtree(system)
