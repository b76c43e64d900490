"""A PostgreSQL server of the tests' own, on a folder and a port that nobody else uses."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from support.ports import free_ports
from support.server import die_with_parent, wait_until

# The user of Debian's package: PostgreSQL does not run as root.
USER = "postgres"


def programs():
    """The newest version's programs."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    assert found, "PostgreSQL is not installed: apt-get install postgresql"
    return max(found, key=lambda path: int(path.parent.name))


class Postgres:
    """Runs while used as a context manager, with PostgreSQL's own defaults."""

    def __init__(self):
        self.programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="berth-postgres-", dir="/tmp"))
        self.port = free_ports(1)[0]
        self.process = None
        self.databases = 0

    def __enter__(self):
        as_user = self.as_user()
        if as_user:
            shutil.chown(self.folder, as_user["user"], as_user["group"])
        data = self.folder / "data"
        make = [self.programs / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run([*make, "--no-sync"], check=True, capture_output=True, cwd=self.folder, **as_user)
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": 200,
        }
        command = [self.programs / "postgres", "-D", data]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=die_with_parent,
                **as_user,
            )
        try:
            wait_until("PostgreSQL to answer", self.answers, seconds=60)
        except AssertionError as error:
            self.__exit__(None, None, None)
            raise AssertionError(f"{error}:\n{self.log()}") from None
        return self

    def __exit__(self, *_):
        # At once: what it holds goes with it.
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def as_user():
        """Who the server runs as; a child that changes its user must not keep root's groups."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(USER)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def answers(self):
        assert self.process.poll() is None, "PostgreSQL ended"
        ask = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ask, capture_output=True).returncode == 0

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def url(self, database):
        return f"postgres://{USER}@127.0.0.1:{self.port}/{database}"

    def sql(self, database, sql):
        """Runs SQL and gives the rows, a line each, columns between `|`."""
        command = [self.programs / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]
        command += ["-d", self.url(database), "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n")

    def create_database(self):
        """Makes an empty database; gives its name."""
        self.databases += 1
        name = f"berth_{self.databases}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return name
