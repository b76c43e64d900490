"""Backups of a registry at work, restored elsewhere: clients find what they left there, and the specification holds.

A backup is taken between two moments that the test knows. What was acknowledged before the first must be in it, what was
asked for after the second must not, and what it has of one client must be what was there at one moment in between.
BERTH_TEST_SEED replays the choices of the clients; BERTH_TEST_SECONDS is how long they work between backups.
"""

import json
import os
import random
import secrets
import sqlite3
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from support import conformance
from support.crowd import Crowd
from support.nodes import running_nodes
from support.seaweedfs import CREDENTIALS
from support.server import Berth, running, whole_at_the_end

SEED = os.environ.get("BERTH_TEST_SEED") or secrets.token_hex(4)
SECONDS = float(os.environ.get("BERTH_TEST_SECONDS") or 1)
KILLS = int(os.environ.get("BERTH_TEST_KILLS") or 4)
COLLECTING = {"BERTH_GC__INTERVAL": "1s", "BERTH_GC__GRACE": "10s"}
KINDS = ["files", "nodes"]


@dataclass
class Source:
    """A registry at work, what its commands need besides, and a way to its database."""

    server: object
    key: str
    sql: object

    def berth(self, *arguments, code=0):
        done = self.server.run(*arguments)
        assert done.returncode == code, f"berth {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def back_up(self, place, *arguments):
        """Takes a backup; gives it with the moments before and after."""
        begin = time.monotonic()
        taken = json.loads(self.berth("backup", place, "--json", *arguments))
        assert taken["backup"]["lacking"] == []
        return Taken(taken, begin, time.monotonic())


@dataclass
class Taken:
    told: dict
    begin: float
    end: float

    @property
    def id(self):
        return self.told["backup"]["id"]


# What the crowd pushes is small and would be in the database otherwise, where a backup has all of it each time.
IN_BLOBS = {"BERTH_STORAGE__INLINE_BLOBS": "0"}


@contextmanager
def source(kind, berth_bin, backends, folder, settings):
    """SQLite and files, or two nodes on PostgreSQL and S3."""
    settings = COLLECTING | CREDENTIALS | {"BERTH_S3__ENDPOINT": backends.seaweed.endpoint} | settings
    if kind == "nodes":
        with running_nodes([berth_bin, berth_bin], folder, backends, settings=settings) as nodes:
            database = f"berth_{backends.postgres.databases}"
            key = nodes.nodes[0].more_environment["BERTH_SERVER_KEY"]
            yield Source(nodes, key, lambda text: backends.postgres.sql(database, text))
        return
    with running(berth_bin, folder, settings=settings) as server:
        key = (server.data_dir / "server.key").read_text().strip()
        yield Source(server, key, lambda text: on_file(server.data_dir / "berth.db", text))


def on_file(path, text):
    with sqlite3.connect(path, timeout=30) as file:
        file.execute(text)
    file.close()


@contextmanager
def restored(kind, berth_bin, backends, folder, key, place, settings, *arguments):
    """A registry of some kind that a backup was restored into; at the end its data must be whole."""
    folder.mkdir()
    fresh = backends.fresh() if kind == "nodes" else CREDENTIALS
    environment = fresh | {"BERTH_S3__ENDPOINT": backends.seaweed.endpoint, "BERTH_SERVER_KEY": key} | settings
    server = Berth(berth_bin, folder / "data", folder / "log", more_environment=environment)
    done = server.run("restore", place, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    verified = server.run("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    with whole_at_the_end(server):
        yield server.registry()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def work(kind, scratch):
    folder = scratch / f"backup-{kind}-{secrets.token_hex(2)}"
    folder.mkdir()
    return folder


def test_backups_under_load_are_restored_elsewhere(kind, berth_bin, shared_backends, work):
    """To a folder and encrypted to a bucket, while every second garbage is collected; restored into both kinds."""
    other = next(one for one in KINDS if one != kind)
    sealed = {"BERTH_BACKUP_KEY": secrets.token_hex(32)}
    folder, bucket = str(work / "archive"), f"s3://berth/archive-{work.name}"
    with source(kind, berth_bin, shared_backends, work / "source", IN_BLOBS) as origin:
        with Crowd(origin.server.registry(), 4, SEED, pause=0.2) as crowd:
            crowd.go_on(2 * SECONDS)
            first = origin.back_up(folder)
            crowd.go_on(SECONDS)
            second = origin.back_up(folder, "--keep", "2")
            assert 0 < second.told["copied"] < second.told["backup"]["blobs"], "it is not incremental"
            with_key(origin, sealed)
            third = origin.back_up(bucket)
            # Longer than the grace time: what the first backups hold is collected meanwhile.
            crowd.go_on((11 if kind == "nodes" else 2) * SECONDS)
            fourth = origin.back_up(bucket, "--keep", "1")
            assert fourth.told["removed"] == [third.id]
            with_key(origin, dict.fromkeys(sealed, ""))
            fifth = origin.back_up(folder, "--keep", "2")
            assert fifth.told["removed"] == [first.id]
        crowd.check()
        print(kind, crowd.told())
        for taken in (second, fifth):
            origin.berth("backup", folder, "--check", "--backup", taken.id)
    def into(name, target, place, settings, *arguments):
        where = work / name
        return restored(target, berth_bin, shared_backends, where, origin.key, place, settings, *arguments)

    with into("same", kind, bucket, sealed) as registry:
        assert crowd.check_copy(registry, fourth.begin, fourth.end)
        conformance.check(registry, "strict", work / "results")
    with into("other", other, folder, {}) as registry:
        assert crowd.check_copy(registry, fifth.begin, fifth.end)
    with into("older", other, folder, {}, "--backup", second.id) as registry:
        assert crowd.check_copy(registry, second.begin, second.end)


def with_key(origin, settings):
    """Commands have the key of the archive from now on; the servers never had it."""
    for node in getattr(origin.server, "nodes", [origin.server]):
        node.more_environment |= settings


def test_a_killed_backup_leaves_those_before_it(kind, berth_bin, shared_backends, work):
    folder = str(work / "archive")
    chance = random.Random(SEED)
    with source(kind, berth_bin, shared_backends, work / "source", {}) as origin:
        with Crowd(origin.server.registry(), 3, SEED, pause=0.2) as crowd:
            crowd.go_on(SECONDS)
            whole = origin.back_up(folder)
            for _ in range(KILLS):
                crowd.go_on(SECONDS / 2)
                kill_after(origin, chance.random() * 0.3, "backup", folder, "--keep", "1")
                listed = json.loads(origin.berth("backup", folder, "--list", "--json"))
                assert listed, "no backup is left"
                origin.berth("backup", folder, "--check")
                # The lease of one that died lasts for a minute.
                origin.sql("UPDATE leases SET held_until = 0")
            last = origin.back_up(folder, "--keep", "1")
        crowd.check()
        assert whole.id < last.id
        left = [path for path in (work / "archive").rglob("*") if "#" in path.name]
        assert not left, "what killed backups left is still there"
    with restored(kind, berth_bin, shared_backends, work / "restored", origin.key, folder, {}) as registry:
        assert crowd.check_copy(registry, last.begin, last.end)


def kill_after(origin, seconds, *arguments):
    node = getattr(origin.server, "nodes", [origin.server])[0]
    command = [node.binary, *arguments, "--data-dir", str(node.data_dir)]
    running = subprocess.Popen(command, env=node.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        running.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        running.kill()
        running.communicate()


def test_nobody_else_can_read_it(berth_bin, scratch):
    with running(berth_bin, scratch / "secret") as server:
        with Crowd(server.registry(), 1, SEED) as crowd:
            crowd.go_on(SECONDS)
        archive = scratch / "secret-archive"
        assert server.run("backup", str(archive)).returncode == 0
        for path in [server.data_dir, *server.data_dir.rglob("*"), archive, *archive.rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, f"{path} has mode {path.stat().st_mode:o}"
