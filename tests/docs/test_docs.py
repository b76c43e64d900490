"""The documentation's commands, run as a reader would.

A fenced block marked ```sh test in README.md or below docs/ is run by `bash -eu`, the blocks of one
file in order and in one shell, in an empty folder, with `berth` and `aws` on PATH. The page is also given:

    $BERTH_SOURCE   a copy of the sources (for `cp` of example files; building is not tested here)

The README's own commands need Docker: tests/clients/test_readme.py runs them.

Servers that a block starts in the background are ended with the shell. Where a block shows output
worth checking, the page says so in the block itself (`test`, `grep`, `cmp`).
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.tools import Home

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^ *```sh test *\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page):
    return FENCE.findall(page.read_text()) if page.exists() else []


WITH_BLOCKS = [page for page in PAGES if blocks(page)]


def test_there_are_pages_to_test():
    assert WITH_BLOCKS


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_page(page, berth_bin, scratch):
    home = Home(scratch / f"docs-{page.stem}")
    work = home.path / "work"
    work.mkdir()
    # last, so that only what the system lacks comes from there
    python = Path(sys.executable).parent
    home.env["PATH"] = f"{Path(berth_bin).parent}:{home.env['PATH']}:{python}"
    home.env["BERTH_SOURCE"] = str(ROOT)
    # each block is echoed before it runs, so that a failure shows where it happened
    script = "".join(f"echo '--- block {i + 1}'\n{text}\n" for i, text in enumerate(blocks(page)))
    (work.parent / "script").write_text(script)
    with (home.path / "output").open("wb") as output:
        shell = subprocess.Popen(
            ["bash", "-eu", "-o", "pipefail", str(work.parent / "script")],
            cwd=work,
            env=home.env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = shell.wait(timeout=240)
        finally:
            end_session(shell.pid)
    said = (home.path / "output").read_text(errors="replace")
    assert status == 0, f"exit {status}\n{said}"


def end_session(group):
    """Ends what the page's commands left running."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        pass
