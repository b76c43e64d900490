"""Running client programs, each test with a home of its own."""

import json
import os
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("BERTH_TEST_CACHE") or Path.home() / ".cache/berth")
GO_BIN = CACHE / "go/bin"


class Home:
    """A private home folder: nothing that a client remembers leaves it, or comes in."""

    def __init__(self, path):
        self.path = Path(path)
        (self.path / "runtime").mkdir(parents=True)
        (self.path / "tmp").mkdir()
        self.env = {
            "HOME": str(self.path),
            "PATH": f"{GO_BIN}:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.path / "tmp"),
            "XDG_RUNTIME_DIR": str(self.path / "runtime"),
            "XDG_CONFIG_HOME": str(self.path / ".config"),
            "XDG_CACHE_HOME": str(self.path / "cache"),
            "XDG_DATA_HOME": str(self.path / "data"),
            "DOCKER_CONFIG": str(self.path / "docker"),
            "REGISTRY_AUTH_FILE": str(self.path / "auth.json"),
        }

    def file(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *command, input=None, fails=False, timeout=240, cwd=None, env=None):
        """Runs a program; returns its standard output and error together.

        Its exit code must be zero, or with `fails` anything else.
        """
        command = [str(part) for part in command]
        done = subprocess.run(
            command,
            input="" if input is None else input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self.env | (env or {}),
            cwd=cwd or self.path,
            timeout=timeout,
        )
        wanted = done.returncode != 0 if fails else done.returncode == 0
        assert wanted, f"{' '.join(command)}\nexit {done.returncode}\n{done.stdout}"
        return done.stdout

    def out(self, *command, **options):
        """The same, but standard output alone, for programs whose output is data."""
        command = [str(part) for part in command]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.env | options.get("env", {}),
            cwd=self.path,
            timeout=240,
        )
        assert done.returncode == 0, f"{' '.join(command)}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *command, **options):
        return json.loads(self.out(*command, **options))
