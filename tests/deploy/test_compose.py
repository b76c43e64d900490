"""compose files, read by the library of `docker compose`. They are not run here: no base image can be had."""

import re
import shutil

import pytest
import yaml

from deploy.conftest import DEPLOY, ROOT

NODES = DEPLOY / "compose/compose.yaml"
UPPER = re.compile(r"BERTH_([A-Z0-9_]+)")


@pytest.fixture
def compose(home):
    """A copy of the folder with secrets in it."""
    folder = home.path / "deploy/compose"
    shutil.copytree(NODES.parent, folder, ignore=shutil.ignore_patterns("secrets"))
    home.run(folder / "make-secrets")
    return folder / "compose.yaml"


def test_files_load(home, compose):
    home.run("validate", "compose", ROOT / "compose.yaml")
    assert home.run("validate", "compose", compose).split() == [
        "berth-1", "berth-2", "bucket", "postgres", "proxy", "s3",
    ]  # fmt: skip


def test_validator_finds_mistakes(home, compose):
    compose.write_text(compose.read_text().replace("depends_on:", "depend_on:"))
    home.run("validate", "compose", compose, fails=True)


def test_settings_exist(settings):
    known = {f"BERTH_{name.upper().replace('.', '__')}" for name in settings}
    known |= {"BERTH_DATABASE_PASSWORD_FILE", "BERTH_SERVER_KEY_FILE"}
    for node in ("berth-1", "berth-2"):
        given = yaml.safe_load(NODES.read_text())["services"][node]["environment"]
        assert set(given) <= known


def test_secrets_are_random_and_stay(home, compose):
    folder = compose.parent / "secrets"
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert re.fullmatch("[0-9a-f]{64}", first["server-key"])
    assert re.search("^BERTH_ADMIN_ACCESS_KEY_ID=AKIA[A-Z2-7]{16}$", first["admin.env"], re.M)
    assert re.search("^BERTH_ADMIN_SECRET_ACCESS_KEY=[A-Za-z0-9]{40}$", first["admin.env"], re.M)
    home.run(compose.parent / "make-secrets")
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert folder.stat().st_mode & 0o077 == 0


def test_nodes_are_equal():
    services = yaml.safe_load(NODES.read_text())["services"]
    assert services["berth-1"] == services["berth-2"]
    proxy = (NODES.parent / "nginx.conf").read_text()
    assert "server berth-1:5000" in proxy and "server berth-2:5000" in proxy
    assert "proxy_request_buffering off" in proxy and "client_max_body_size 0" in proxy
