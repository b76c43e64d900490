"""What the README tells a new user to type, typed: its `console` blocks, in order.

The key id that it abbreviates is the one that the server printed; the secret goes to the prompt.
"""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from clients.test_docker import build
from support.server import die_with_parent, wait_until

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"\bAKIA[A-Z2-7]{16}\b")
SECRET = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])")


def readme():
    """The blocks of the README, each as a list of lines."""
    return [block.splitlines() for block in CONSOLE.findall((ROOT / "README.md").read_text())]


@pytest.fixture
def first_start(scratch):
    """The README's server, started by its command from the sources; yields its log."""
    command, ready = readme()[0]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BERTH_")}
    environment["BERTH_STORAGE__DATA_DIR"] = str(scratch / "readme-data")
    log = scratch / "readme-log"
    with log.open("wb") as errors:
        server = subprocess.Popen(
            shlex.split(command.removeprefix("$ ")),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=die_with_parent,
        )
    try:
        assert server.stdout.readline().rstrip() == ready, log.read_text()
        yield log
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)


@pytest.mark.needs_berth
@pytest.mark.own_binary
@pytest.mark.timeout(900)
def test_readme(first_start, docker):
    wait_until("the key to be printed", lambda: SECRET.search(first_start.read_text()))
    key, secret = (pattern.search(first_start.read_text())[0] for pattern in (KEY, SECRET))
    build(docker, "alpine")
    docker.home.env["DOCKER_HOST"] = docker.prefix[-1]
    login, *commands = [line.removeprefix("$ ") for line in readme()[1]]
    assert login.startswith("docker login"), login
    # `script` gives the prompt the terminal that it asks for
    login = login.replace("AKIA…", key)
    said = docker.home.run("script", "-qec", login, "/dev/null", input=f"{secret}\n")
    assert "Login Succeeded" in said
    for command in commands:
        docker.home.run(*shlex.split(command))
    assert "docker pull" in commands[-1]
