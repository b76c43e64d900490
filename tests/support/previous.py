"""The version of Berth before this one, built from the repository's own history and kept in the cache by its commit."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from support.tools import CACHE

ROOT = Path(__file__).resolve().parents[2]
PINNED = ROOT / "tests/upgrade/previous"
MIGRATIONS = "crates/store-sql/migrations"


def commit():
    lines = [line.strip() for line in PINNED.read_text().splitlines()]
    return next(line for line in lines if line and not line.startswith("#"))


def git(*arguments):
    # The folder may belong to another user than the one who runs the tests.
    command = ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", *arguments]
    return subprocess.run(command, capture_output=True)


def ensure_history():
    if git("cat-file", "-e", f"{commit()}^{{commit}}").returncode != 0:
        git("fetch", "--quiet", "--unshallow")
    found = git("cat-file", "-e", f"{commit()}^{{commit}}")
    assert found.returncode == 0, (
        f"the commit {commit()} of {PINNED.name} is not here, which needs the history: git fetch --unshallow\n"
        f"{found.stderr.decode()}"
    )


def migrations():
    """The SQL of its schema's versions, oldest first, by file name."""
    ensure_history()
    names = git("ls-tree", "--name-only", f"{commit()}:{MIGRATIONS}").stdout.decode().split()
    return {name: git("show", f"{commit()}:{MIGRATIONS}/{name}").stdout.decode() for name in sorted(names)}


def binary():
    """The path of its program, which is built where the cache does not have it."""
    kept = CACHE / "previous" / commit() / "berth"
    if not kept.exists():
        ensure_history()
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=kept.parent.parent) as folder:
            build(Path(folder), kept)
    return str(kept)


def build(folder, kept):
    """An ordinary debug build, which takes minutes and is done once; only the program stays."""
    source = folder / "source"
    source.mkdir()
    archive = git("archive", commit())
    assert archive.returncode == 0, archive.stderr.decode()
    subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
    environment = os.environ | {"CARGO_TARGET_DIR": str(folder / "target")}
    command = ["cargo", "build", "--locked", "--quiet", "--package", "berth"]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"the previous version does not build:\n{done.stderr}"
    shutil.copy2(folder / "target/debug/berth", kept.with_name("new"))
    kept.with_name("new").replace(kept)
