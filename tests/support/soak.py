"""Long runs in parts: each part is a line of JSON that is kept, so that an interrupted run goes on where it was.

A run's lines lie in $BERTH_TEST_CACHE/soak/NAME.jsonl. Each tells what was run (`part`), what came out, the SHA-256 of the
binary, the time, and the machine. A part that is there for the same binary is not run again.
"""

import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("BERTH_TEST_CACHE", Path.home() / ".cache/berth"))


def build_test(package, test):
    """Builds a test of the workspace, optimised, and gives its path."""
    command = ["cargo", "test", "--release", "--locked", "--package", package, "--test", test, "--no-run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return Path(re.search(r"Executable .*\((.*)\)", done.stderr).group(1))


def figures(text):
    """`name=number` words as a dict."""
    return {name: int(number) for name, number in (word.split("=") for word in text.split())}


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def machine():
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "cores": os.cpu_count(),
        "processor": processor.group(1) if processor else platform.machine(),
        "memory_mib": int(memory.group(1)) // 1024,
        "kernel": platform.release(),
    }


class Parts:
    """The parts of one long run of one binary."""

    def __init__(self, name, binary):
        self.file = CACHE / "soak" / f"{name}.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.binary_sha256 = sha256(binary)
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        known = map(json.loads, lines)
        self.done = [line["part"] for line in known if line["binary_sha256"] == self.binary_sha256]

    def run(self, part, work, show=print):
        """Calls `work`, which gives a dict of results or ends the program, unless this part (a dict) is known. `show` gets
        the results."""
        told = " ".join(f"{name}={value}" for name, value in part.items())
        if part in self.done:
            print(f"{told}: known", flush=True)
            return
        result = work()
        about = {
            "binary_sha256": self.binary_sha256,
            "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(),
        }
        with self.file.open("a") as file:
            file.write(json.dumps({"part": part, "result": result} | about) + "\n")
        print(f"{told}:", flush=True)
        show(result)
