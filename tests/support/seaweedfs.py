"""A SeaweedFS of the tests' own, as the S3 server."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import requests

from support.ports import free_ports
from support.server import die_with_parent, wait_until
from support.tools import CACHE

BUCKET = "berth"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIASEAWEEDSEAWEED22",
    "AWS_SECRET_ACCESS_KEY": "SeaweedSecretSeaweedSecretSeaweedSecret1",
}
# It listens for its own calls so far above each port.
GRPC = 10_000


class Seaweed:
    """Runs while used as a context manager; its bucket is there from the start."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="berth-seaweed-", dir="/tmp"))
        self.process = None
        self.endpoint = None
        self.prefixes = 0

    def __enter__(self):
        program = CACHE / "venv/bin/weed"
        assert program.exists(), "SeaweedFS is not installed: tests/install/20-python.sh installs it"
        master, volume, filer, s3 = free_ports(4, also=GRPC)
        data = self.folder / "data"
        data.mkdir()
        command = [program, "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}"]
        command += ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | CREDENTIALS,
                preexec_fn=die_with_parent,
            )
        self.endpoint = f"http://127.0.0.1:{s3}"
        try:
            wait_until("SeaweedFS to know its bucket", self.answers, seconds=120)
        except AssertionError as error:
            self.__exit__(None, None, None)
            raise AssertionError(f"{error}:\n{self.log()}") from None
        return self

    def __exit__(self, *_):
        # What it holds goes with it, so it need not take its time.
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def answers(self):
        """Who asks without credentials is refused once the bucket is there, and told that there is none before."""
        assert self.process.poll() is None, "SeaweedFS ended"
        try:
            with requests.Session() as session:
                session.trust_env = False
                return session.get(f"{self.endpoint}/{BUCKET}/?list-type=2", timeout=5).status_code == 403
        except requests.RequestException:
            return False

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def fresh_prefix(self):
        """A prefix of the bucket that nobody else uses."""
        self.prefixes += 1
        return f"test-{self.prefixes}"
