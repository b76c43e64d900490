"""The servers that are compared: how each is configured, started and stopped."""

import base64
import ctypes
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from support.ports import free_ports
from support.server import Berth, die_with_parent, wait_until

from . import calls, watch
from .content import sha256
from .wire import Connection, Place, WrongAnswer

STOP_SECONDS = 30
BERTH = "berth"
NGINX = "nginx"
V2 = "docker-registry 2.8"
V3 = "distribution 3.1"
ZOT = "zot"


class Server:
    """A process, where it is to be found, and a folder of its own."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.place = None
        self.process = None

    def pids(self):
        return watch.family(self.process.pid)

    def connection(self):
        return Connection(self.place)

    def run(self, command, environment=None, before_exec=die_with_parent):
        with (self.folder / "log").open("ab") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            more = {"env": own_environment() | (environment or {}), "preexec_fn": before_exec, "cwd": self.folder}
            self.process = subprocess.Popen([str(word) for word in command], **streams, **more)
        try:
            wait_until(f"{self.name} to answer", self.answers)
        except BaseException:
            self.process.kill()
            raise

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended:\n{(self.folder / 'log').read_text(errors='replace')}")
        try:
            with self.connection() as connection:
                return connection.ask("GET", "/v2/").status == 200
        except (OSError, WrongAnswer):
            return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def offer_image(self, repository, image):
        with self.connection() as connection:
            calls.push_image(connection, repository, image)

    def offer_large(self, repository, large):
        with self.connection() as connection:
            calls.push_whole(connection, repository, large)


class Nginx(Server):
    """Static files under a registry's addresses: what a pull costs where nothing but the file is to be sent."""

    def __init__(self, folder, certificate):
        super().__init__(NGINX, folder)
        port, tls_port = free_ports(2)
        self.place = Place("127.0.0.1", port)
        self.tls_place = Place("127.0.0.1", tls_port, tls=True)
        (self.folder / "temporary").mkdir()
        self.settings = self.folder / "nginx.conf"
        self.settings.write_text(nginx_settings(self.folder, port, tls_port, certificate))

    def start(self):
        self.lay_out("/v2/index", b"{}")
        # By its own first process: killed, that one would leave its workers.
        self.run(["nginx", "-p", self.folder, "-c", self.settings, "-e", "error.log"], before_exec=end_with_parent)

    def lay_out(self, path, data):
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def file(self, path):
        return self.folder / "root" / path.lstrip("/")

    def offer_image(self, repository, image):
        for reference in (image.tag, image.digest):
            self.lay_out(calls.manifest_path(repository, reference), image.manifest)
        for digest, data in image.blobs.items():
            self.lay_out(calls.blob_path(repository, digest), data)

    def offer_large(self, repository, large):
        file = self.file(calls.blob_path(repository, large.digest))
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(large.path, file)


def own_environment():
    """Without what the user has set for AWS: the bucket is ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def end_with_parent():
    """Run in the child before exec: told to end as the parent ends, so that it can end its own children."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def nginx_settings(folder, port, tls_port, certificate):
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    temporary = "\n".join(f"    {kind}_temp_path {folder}/temporary/{kind};" for kind in kinds)
    # Workers of a server that root starts become somebody else, who cannot read its folder.
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name};" if os.geteuid() == 0 else ""
    return f"""\
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
{user}
events {{
    worker_connections 4096;
}}
http {{
{temporary}
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=1000;
    keepalive_requests 1000000000;
    default_type application/vnd.oci.image.manifest.v1+json;
    root {folder}/root;
    server {{
        listen 127.0.0.1:{port};
        index index;
    }}
    server {{
        listen 127.0.0.1:{tls_port} ssl;
        index index;
        ssl_certificate {certificate.chain};
        ssl_certificate_key {certificate.key};
        ssl_protocols TLSv1.3;
    }}
}}
"""


class Certificate:
    """Self-signed, for 127.0.0.1."""

    def __init__(self, folder):
        self.chain, self.key = folder / "certificate.pem", folder / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", str(self.key), "-out", str(self.chain)]
        subprocess.run(command, check=True, capture_output=True)


class Distribution(Server):
    """The reference registry, 2.8 or 3.1, as fast as its settings make it: no login, no log of accesses, a cache."""

    def __init__(self, name, program, folder, storage=None):
        super().__init__(name, folder)
        self.program = program
        port = free_ports(1)[0]
        self.place = Place("127.0.0.1", port)
        where = storage or {"filesystem": {"rootdirectory": str(self.folder / "data")}}
        # JSON is YAML.
        settings = distribution_settings(port, where)
        (self.folder / "settings.yml").write_text(json.dumps(settings, indent=1))

    def start(self):
        no_traces = {"OTEL_TRACES_EXPORTER": "none"}
        self.run([self.program, "serve", self.folder / "settings.yml"], no_traces)


def distribution_settings(port, storage):
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": storage | {"cache": {"blobdescriptor": "inmemory"}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": secrets.token_hex(16)},
    }


def distribution_on_s3(seaweed, bucket, credentials, redirect):
    s3 = {
        "region": "us-east-1",
        "regionendpoint": seaweed.endpoint,
        "bucket": bucket,
        "accesskey": credentials["AWS_ACCESS_KEY_ID"],
        "secretkey": credentials["AWS_SECRET_ACCESS_KEY"],
        "rootdirectory": f"/{seaweed.fresh_prefix()}",
        "forcepathstyle": True,
        "secure": False,
        "v4auth": True,
    }
    return {"s3": s3, "redirect": {"disable": not redirect}}


class Zot(Server):
    """Where it could be built."""

    def __init__(self, program, folder):
        super().__init__(ZOT, folder)
        self.program = program
        port = free_ports(1)[0]
        self.place = Place("127.0.0.1", port)
        # `commit` syncs what was pushed: without it there is nothing to compare.
        storage = {"rootDirectory": str(self.folder / "data"), "dedupe": False, "gc": False, "commit": True}
        http = {"address": "127.0.0.1", "port": str(port)}
        settings = {"distSpecVersion": "1.1.1", "storage": storage, "http": http, "log": {"level": "error"}}
        (self.folder / "settings.json").write_text(json.dumps(settings))

    def start(self):
        self.run([self.program, "serve", self.folder / "settings.json"])


class BerthServer(Server):
    """Berth with its own defaults: with login, durable, its log in a file."""

    def __init__(self, name, binary, folder, flags=(), environment=None):
        super().__init__(name, folder)
        more = {"flags": [str(flag) for flag in flags], "more_environment": environment or {}}
        self.berth = Berth(str(binary), self.folder / "data", self.folder / "log", **more)

    def start(self):
        self.berth.start()
        self.process = self.berth.process
        login = base64.b64encode(f"{self.berth.user}:{self.berth.password}".encode()).decode()
        self.place = Place.of(self.berth.url, f"Basic {login}")

    def restart(self, environment):
        """With other settings, on the same port."""
        self.berth.stop()
        self.berth.more_environment = environment
        self.start()

    def stop(self):
        if self.berth.running():
            self.berth.stop()

    def metric(self, name):
        """The sum over its labels; 0 before it first had a value."""
        with self.connection() as connection:
            text = connection.ask("GET", "/metrics").must_be(200).body.decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:\{{[^\n]*\}})? (\S+)$", text, re.MULTILINE))


def version_of(command):
    """The line in which a program tells its version."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    # Where it was installed is nobody's business.
    return " ".join(word for word in lines[0].split() if not word.startswith("/")) if lines else "unknown"


def digest_of_program(path):
    return sha256(Path(path).read_bytes()).removeprefix("sha256:")
