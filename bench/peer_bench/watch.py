"""What a server's processes use: CPU time, memory; and how often a device was told to flush."""

import os
import re
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# Counted from 0 in /sys/block/DEVICE/stat: "flush requests completed".
FLUSHES = 15
# What is written to clear_refs to make the peak of resident memory begin anew.
FORGET_PEAK = "5"


def family(pid):
    """A process and all that descend from it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid] + [member for child in children for member in family(int(child))]


def cpu_seconds(pids):
    return sum(ticks_in(Path(f"/proc/{pid}/stat").read_text()) for pid in pids) / TICKS


def ticks_in(stat):
    """User and system time in a line of /proc/PID/stat; the program's name may hold blanks and parentheses."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def resident_mib(pids):
    return sum(status_kib(pid, "VmRSS") for pid in pids) / 1024


def peak_mib(pids):
    """The most that was resident since `forget_peak`. Of several processes it is the sum of their peaks."""
    return sum(status_kib(pid, "VmHWM") for pid in pids) / 1024


def forget_peak(pids):
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text(FORGET_PEAK)


def status_kib(pid, name):
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0


class Watch:
    """Wall and CPU seconds of a server's processes while the block runs, and the most memory that they had."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        forget_peak(self.pids)
        self.cpu = -cpu_seconds(self.pids)
        self.wall = -time.monotonic()
        return self

    def __exit__(self, *_):
        self.wall += time.monotonic()
        # What is less than a tick is not seen, and not nothing.
        self.cpu = max(self.cpu + cpu_seconds(self.pids), 1 / TICKS)
        self.peak = peak_mib(self.pids)


def device_of(folder):
    """The `stat` file of the block device that holds a folder; None where it is not on one, such as tmpfs."""
    number = os.stat(folder).st_dev
    stat = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat")
    return whole_device(stat.resolve()) if stat.exists() else None


def whole_device(stat):
    """Flushes are counted by the whole device: a partition lies in its device's folder."""
    partition = (stat.parent / "partition").exists()
    return stat.parent.parent / "stat" if partition else stat


def flushes_in(text):
    fields = text.split()
    if len(fields) <= FLUSHES:
        raise ValueError(f"this kernel does not count flushes: {text!r}")
    return int(fields[FLUSHES])


class Flushes:
    """How many flushes a device completed while the block ran. What was written before is synced first."""

    def __init__(self, device):
        self.device = device
        self.count = None

    def __enter__(self):
        os.sync()
        self.before = self.read()
        return self

    def __exit__(self, *_):
        if self.device is not None:
            self.count = self.read() - self.before

    def read(self):
        return flushes_in(self.device.read_text()) if self.device is not None else 0
