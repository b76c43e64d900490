"""Starting, stopping and killing a `berth serve`, and how its credentials are made."""

import ctypes
import os
import re
import secrets
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support import issued

READY = re.compile(r"^berth ready url=(\S+)$")
START_SECONDS = 30
STOP_SECONDS = 45
KEY_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
SECRET_ALPHABET = KEY_ALPHABET + KEY_ALPHABET.lower() + "+/"


def die_with_parent():
    """Run in the child before exec: no server outlives a killed test run."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def new_access_key_id():
    return "AKIA" + "".join(secrets.choice(KEY_ALPHABET) for _ in range(16))


def new_secret():
    return "".join(secrets.choice(SECRET_ALPHABET) for _ in range(40))


@dataclass
class Registry:
    """What a client needs to know: where, and as whom. `ca` is set where TLS is spoken."""

    url: str
    user: str
    password: str
    ca: Path | None = None

    @property
    def host(self):
        """`127.0.0.1:5000`, the form in which clients name registries."""
        return self.url.split("://", 1)[1]

    @property
    def plain(self):
        return self.url.startswith("http://")

    def ref(self, rest):
        return f"{self.host}/{rest}"


@dataclass
class Berth:
    """One data folder and, between `start` and `stop`, the server that serves it."""

    binary: str
    data_dir: Path
    log: Path
    flags: list[str] = field(default_factory=list)
    more_environment: dict[str, str] = field(default_factory=dict)
    user: str = field(default_factory=new_access_key_id)
    password: str = field(default_factory=new_secret)
    process: subprocess.Popen | None = None
    url: str | None = None

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BERTH_")}
        return kept | {
            "BERTH_ADMIN_ACCESS_KEY_ID": self.user,
            "BERTH_ADMIN_SECRET_ACCESS_KEY": self.password,
            **self.more_environment,
        }

    def start(self):
        """Starts on a free port, or after a stop on the port it had."""
        issued.note(self.password)
        listen = self.url.split("://", 1)[1] if self.url else "127.0.0.1:0"
        command = [self.binary, "serve", "--listen", listen, "--data-dir", str(self.data_dir), *self.flags]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment(),
                preexec_fn=die_with_parent,
            )
        self.url = self._wait_ready()
        return self

    def _wait_ready(self):
        ready, _, _ = select.select([self.process.stdout], [], [], START_SECONDS)
        line = self.process.stdout.readline().decode() if ready else ""
        found = READY.match(line.rstrip("\n"))
        if not found:
            self.kill()
            raise AssertionError(f"no ready line but {line!r}; its log:\n{self.log_tail()}")
        return found[1]

    def stop(self):
        """Asks it to end; fails if it does not, ends badly, or printed more than its one line."""
        self.process.send_signal(signal.SIGTERM)
        try:
            rest, _ = self.process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {STOP_SECONDS} s after SIGTERM:\n{self.log_tail()}") from None
        assert rest == b"", f"more than the ready line on standard output: {rest!r}"
        assert self.process.returncode == 0, f"exit {self.process.returncode} after SIGTERM:\n{self.log_tail()}"
        self.assert_log_without_secrets()

    def kill(self):
        """kill -9, as a crash would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def run(self, *arguments, timeout=300):
        """An operator's command on this data folder."""
        command = [self.binary, *arguments, "--data-dir", str(self.data_dir)]
        return subprocess.run(
            command, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def registry(self, ca=None):
        return Registry(self.url, self.user, self.password, ca)

    def assert_log_without_secrets(self):
        """Whatever was done with the server, its log holds none of the secrets that were handed out (A89)."""
        secret = issued.found_in(self.log.read_bytes())
        assert secret is None, f"{secret!r}, which a secret holds, is in {self.log}"

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def running(binary, folder, *flags, settings=None):
    """A server on a fresh data folder; `settings` are variables of its environment. At the end it must stop cleanly and its
    data be whole."""
    folder.mkdir(parents=True)
    arguments = {"flags": [str(flag) for flag in flags], "more_environment": settings or {}}
    return whole_at_the_end(Berth(binary, folder / "data", folder / "log", **arguments))


@contextmanager
def whole_at_the_end(server):
    """Starts what the block uses; when it is over the server must stop cleanly and its data be whole."""
    server.start()
    try:
        yield server
    except BaseException:
        if server.running():
            server.kill()
        raise
    server.stop()
    verified = server.run("verify")
    assert verified.returncode == 0, f"berth verify: {verified.returncode}\n{verified.stdout}{verified.stderr}"


def wait_until(what, condition, seconds=30):
    """Polls until the condition holds; fails with `what` if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")
