"""From the version before to this one: while nodes serve, and on the files of a single server.

`previous` names the commit of the version before. BERTH_TEST_SEED replays the choices of the clients.
"""

import os
import re
import secrets
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support import previous
from support.api import Api
from support.crowd import Crowd
from support.nodes import running_nodes
from support.server import Berth, running, wait_until

# The version before may have to be built first.
pytestmark = pytest.mark.timeout(1200)
ROOT = Path(__file__).resolve().parents[2]
SCHEMA = len(list((ROOT / previous.MIGRATIONS).glob("*.sql")))
SEED = os.environ.get("BERTH_TEST_SEED") or secrets.token_hex(4)
SECONDS = float(os.environ.get("BERTH_TEST_SECONDS") or 3)
COLLECTING = {"BERTH_GC__INTERVAL": "1s", "BERTH_GC__GRACE": "10s"}


def test_the_previous_version_is_one_schema_behind():
    """And its migrations are still what they were: databases out there were made by them."""
    now = {path.name: path.read_text() for path in (ROOT / previous.MIGRATIONS).glob("*.sql")}
    before = previous.migrations()
    assert before.items() <= now.items(), "a migration that was released has been edited"
    assert len(before) == len(now) - 1, f"raise {previous.PINNED}: it has {len(before)} versions of {len(now)}"


def schema_of(postgres, database):
    return int(postgres.sql(database, "SELECT max(version) FROM berth_schema"))


def test_nodes_are_upgraded_one_after_the_other(berth_bin, old_bin, shared_backends, scratch):
    """Both versions serve for a while, an old node starts anew on the new schema, and nothing is lost."""
    postgres = shared_backends.postgres
    with running_nodes([old_bin, old_bin], scratch / "rolling", shared_backends, settings=COLLECTING) as nodes:
        database = f"berth_{postgres.databases}"
        first, second = nodes.nodes
        assert schema_of(postgres, database) == SCHEMA - 1
        with Crowd(nodes.registry(), 6, SEED) as crowd:
            crowd.go_on(SECONDS)
            first.stop()
            first.binary = berth_bin
            first.start()
            assert schema_of(postgres, database) == SCHEMA
            before = dict(nodes.round_robin.answered)
            # Longer than the grace time: each version collects what the other was told.
            crowd.go_on(3 * SECONDS)
            assert all(nodes.round_robin.answered[nth] > before[nth] for nth in before), "one of the nodes is idle"
            second.kill()
            second.start()
            crowd.go_on(SECONDS)
            assert "works on" in second.log.read_text(), "the old version does not say that the schema is newer"
            second.stop()
            second.binary = berth_bin
            second.start()
            crowd.go_on(SECONDS)
        crowd.check()
        print(crowd.told())
        wait_until("garbage to go", lambda: is_collected(nodes), seconds=60)


def is_collected(nodes):
    return nodes.run("gc", "--dry-run").stdout.startswith("0 links, 0 blobs and 0 keys")


def push_something(registry, name="crowd"):
    crowd = Crowd(registry, 2, SEED, name)
    for worker in crowd.workers:
        worker.push()
        for _ in range(15):
            worker.act()
    return crowd


def test_a_data_folder_is_opened_by_the_next_version(berth_bin, old_bin, scratch):
    folder = scratch / "files"
    with running(old_bin, folder) as server:
        crowd = push_something(server.registry())
        api = Api(server.registry())
        where = crowd.workers[0].begin()
        part = b"begun by the old version, "
        api.call("PATCH", where, data=part, headers={"Content-Type": "application/octet-stream"})
        server.kill()
        server.binary = berth_bin
        server.start()
        crowd.check()
        got = api.call("GET", where)
        assert (got.status_code, got.headers["Range"]) == (204, f"0-{len(part) - 1}")
        push_something(server.registry(), "again").check()
        server.stop()
        refused = subprocess.run(
            [old_bin, "verify", "--data-dir", server.data_dir], env=server.environment(), capture_output=True, text=True
        )
        assert refused.returncode != 0
        assert f"written by a newer Berth (schema {SCHEMA}, this one knows {SCHEMA - 1})" in refused.stderr
        server.start()
        crowd.check()


def refusal(server):
    """How a server ends that cannot start."""
    command = [server.binary, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(server.data_dir)]
    ended = subprocess.run(
        command, env=server.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode != 0 and ended.stdout == ""
    return ended.stderr


def test_a_schema_two_versions_ahead_is_refused(berth_bin, shared_backends, scratch):
    postgres = shared_backends.postgres
    with running_nodes([berth_bin], scratch / "ahead", shared_backends) as nodes:
        database = f"berth_{postgres.databases}"
        crowd = push_something(nodes.registry())
        nodes.stop()
        postgres.sql(database, f"UPDATE berth_schema SET version = {SCHEMA + 2}")
        said = refusal(nodes.nodes[0])
        assert re.search(rf"schema {SCHEMA + 2}, this one knows {SCHEMA}\): use that version", said), said
        postgres.sql(database, f"UPDATE berth_schema SET version = {SCHEMA + 1}")
        nodes.start()
        assert "works on" in nodes.nodes[0].log.read_text()
        crowd.check()


def test_a_newer_data_folder_is_refused(berth_bin, scratch):
    folder = scratch / "newer"
    folder.mkdir()
    server = Berth(berth_bin, folder / "data", folder / "log").start()
    server.stop()
    with sqlite3.connect(server.data_dir / "berth.db") as file:
        file.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    file.close()
    assert f"schema {SCHEMA + 1}, this one knows {SCHEMA}): use that version" in refusal(server)
