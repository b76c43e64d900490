"""Load: clients that cost so little, or are so many, that the server is what is measured."""

import ctypes
import json
import multiprocessing
import os
import re
import signal
import socket
import statistics
import subprocess
import threading
import time
from pathlib import Path

from support.server import die_with_parent

from . import calls
from .content import GIB, MANIFEST_TYPE, MIB, sha256
from .wire import Connection, WrongAnswer

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
REPLAY_SCRIPT = Path(__file__).with_name("replay.lua")
TLS_SUITE = "TLS_AES_256_GCM_SHA384"
PROCESSES = 4
THREADS = 4
PATIENCE = 300
DRAIN = 4 * MIB
# Processes are forked: what they work on need not be sent to them.
FORK = multiprocessing.get_context("fork")
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.recv.restype = ctypes.c_ssize_t


def percentile(values, percent):
    """The smallest value that so many percent of all are not above."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def drain(place, path, size):
    """Pulls a blob whose bytes the kernel drops, so that the client costs next to nothing."""
    with Connection(place) as connection:
        connection.socket.settimeout(None)
        connection.socket.sendall(connection.head("GET", path, None, ""))
        answer = connection.read_head().must_be(200)
        told = int(answer.header("Content-Length") or -1)
        got = len(connection.buffer)
        while got < size and (count := dropped(connection.socket, min(DRAIN, size - got))) > 0:
            got += count
    if (told, got) != (size, size):
        raise WrongAnswer(f"a blob of {size} bytes was told as {told} and came as {got}")


def dropped(connection, most):
    return LIBC.recv(connection.fileno(), None, ctypes.c_size_t(most), socket.MSG_TRUNC)


def drains(place, path, size, clients):
    in_threads([lambda: drain(place, path, size)] * clients)


def in_threads(works):
    """Runs all at once; the first failure is raised."""
    failures = []

    def guarded(work):
        try:
            work()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def curl_command(place, path, *more):
    command = ["curl", "--silent", "--show-error", "--fail", "--http1.1", "--noproxy", "*", "--max-time", str(PATIENCE)]
    if place.authorization:
        command += ["--header", f"Authorization: {place.authorization}"]
    if place.tls:
        command += ["--insecure", "--tlsv1.3", "--tls13-ciphers", TLS_SUITE]
    return [*command, *more, place.url + path]


def curls(place, path, size, clients):
    """Pulls by as many curl processes at once, which follow where they are sent; each tells how much it got."""
    told = ["--write-out", "%{http_code} %{size_download}"]
    command = curl_command(place, path, "--location", "--output", "/dev/null", *told)
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(clients)]
    for process in running:
        told, error = process.communicate(timeout=PATIENCE)
        if told != f"200 {size}":
            raise WrongAnswer(f"curl was told {told!r} instead of {size} bytes: {error}")


def tls_suite(place, path):
    """Version and cipher suite that curl and a server agree on."""
    command = curl_command(place, path, "--verbose", "--output", "/dev/null", "--range", "0-0")
    told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE).stderr
    found = re.search(r"SSL connection using (\S+) / (\S+)", told)
    return found.groups() if found else None


def wrk(place, path, connections, seconds):
    """As many requests as a server answers, over connections that stay open. Times are in milliseconds."""
    headers = ["-H", f"Accept: {MANIFEST_TYPE}"]
    if place.authorization:
        headers += ["-H", f"Authorization: {place.authorization}"]
    return run_wrk(WRK_SCRIPT, connections, seconds, *headers, place.url + path)


def wrk_replay(place, file, connections, seconds):
    """The same, where what is asked is in a file that `write_requests` wrote."""
    return run_wrk(REPLAY_SCRIPT, connections, seconds, place.url, "--", str(file))


def run_wrk(script, connections, seconds, *arguments):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "20s", "-s", str(script)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=seconds + 60)
    return wrk_figures(done.stdout + done.stderr)


def write_requests(path, requests):
    """As replay.lua reads them."""
    with path.open("wb") as file:
        for request in requests:
            file.write(b"%d\n%s" % (len(request), request))
    return path


def wrk_figures(told):
    found = re.search(r"^figures: (\{.*\})$", told, re.MULTILINE)
    figures = json.loads(found.group(1)) if found else {"requests": 0}
    if not figures["requests"] or figures["wrong"]:
        raise WrongAnswer(f"wrk was not answered as it should be:\n{told}")
    rate = figures["requests"] * 1e6 / figures["microseconds"]
    return {
        "requests": figures["requests"],
        "rate": rate,
        "p50_ms": figures["p50"] / 1000,
        "p99_ms": figures["p99"] / 1000,
    }


def sha256_seconds_per_gib():
    """What one core needs to hash a GiB, as openssl has it: CPU time, so other work does not count."""
    command = ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", "65536", "-evp", "sha256"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    return GIB / float(re.search(r"^\+F:.*:([\d.]+)$", told, re.MULTILINE).group(1))


class Fleet:
    """Processes of threads, each with a connection of its own, that begin together when all are ready.

    `work(connection, item)` is done for each item; what it took is kept in milliseconds.
    """

    def __init__(self, place, items, work, processes=PROCESSES, threads=THREADS):
        self.place = place
        self.items = items
        self.work = work
        self.processes = processes
        self.threads = threads
        self.ready = FORK.Barrier(processes)

    def run(self):
        """Wall seconds from the first beginning to the last end, and how long each item took."""
        pipes = [FORK.Pipe(duplex=False) for _ in range(self.processes)]
        work = [(nth, end) for nth, (_, end) in enumerate(pipes)]
        running = [FORK.Process(target=self.process, args=each, daemon=True) for each in work]
        for process in running:
            process.start()
        for _, end in pipes:
            end.close()
        told = [received(pipe) for pipe, _ in pipes]
        for process in running:
            process.join()
        wall = max(end for _, end, _ in told) - min(begin for begin, _, _ in told)
        return wall, [took for _, _, times in told for took in times]

    def process(self, nth, pipe):
        be_a_child()
        shares = [self.items[nth * self.threads + k :: self.processes * self.threads] for k in range(self.threads)]
        times = []
        try:
            with_connections = [(Connection(self.place), share) for share in shares if share]
            self.ready.wait(PATIENCE)
            begin = time.monotonic()
            in_threads([lambda c=c, share=share: self.thread(c, share, times) for c, share in with_connections])
            pipe.send((begin, time.monotonic(), times))
        except Exception as error:
            self.ready.abort()
            pipe.send(f"{type(error).__name__}: {error}")
        # No handler of the parent's may run here.
        os._exit(0)

    def thread(self, connection, share, times):
        for item in share:
            begin = time.monotonic()
            self.work(connection, item)
            times.append((time.monotonic() - begin) * 1000)


def be_a_child():
    """An interrupt is for whoever started this process, which ends with that."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def received(pipe):
    """What a process told: its results, or the words of its failure."""
    if not pipe.poll(PATIENCE):
        raise WrongAnswer(f"clients did not end within {PATIENCE} s")
    try:
        told = pipe.recv()
    except EOFError:
        raise WrongAnswer("a process of clients ended without a word") from None
    if isinstance(told, str):
        raise WrongAnswer(told)
    return told


def push_images(place, repository, images):
    return Fleet(place, images, lambda connection, image: calls.push_image(connection, repository, image)).run()


def push_blobs(place, repository, blobs):
    """`blobs` are pairs of digest and bytes."""
    return Fleet(place, blobs, lambda connection, blob: calls.push_blob(connection, repository, *blob)).run()


def push_tags(place, repository, images):
    """`images` are pairs of an image and its tags, of which each is a push."""
    pairs = [(tag, image.manifest) for image, tags in images for tag in tags]
    return Fleet(place, pairs, lambda connection, pair: calls.put_manifest(connection, repository, *pair)).run()


def push_many_tags(place, repository, images):
    """The same, with as many tags in a push as Berth takes."""
    at_once = 100
    parts = [(image, tags[at : at + at_once]) for image, tags in images for at in range(0, len(tags), at_once)]

    def push(connection, part):
        image, tags = part
        reference = f"{image.digest}?" + "&".join(f"tag={tag}" for tag in tags)
        calls.put_manifest(connection, repository, reference, image.manifest)

    return Fleet(place, parts, push).run()


def push_manifests(place, repository, manifests):
    """`manifests` are pairs of a tag, or None, and text. Many clients at once: their changes become durable together."""

    def push(connection, manifest):
        tag, text = manifest
        calls.put_manifest(connection, repository, tag or sha256(text), text)

    return Fleet(place, manifests, push, threads=4 * THREADS).run()


class Paced:
    """Clients that keep to a timetable, whatever the server does: what was due and had to wait counts as slow.

    `work(connection, nth)` is due `rate` times a second until `stop` is set. They are started before the server is,
    and begin when `begin` is set.
    """

    def __init__(self, place, rate, work, threads):
        self.place = place
        self.rate = rate
        self.work = work
        self.threads = threads
        self.begin = FORK.Event()
        self.stop = FORK.Event()
        self.pipe, self.end = FORK.Pipe(duplex=False)
        self.running = FORK.Process(target=self.process, daemon=True)

    def __enter__(self):
        self.running.start()
        self.end.close()
        return self

    def __exit__(self, *_):
        self.running.kill()
        self.running.join()

    def times(self):
        """Ends it, and gives the milliseconds from when each was due to when it was done."""
        self.stop.set()
        return received(self.pipe)

    def process(self):
        be_a_child()
        times = []
        try:
            self.begin.wait(PATIENCE)
            start = time.monotonic()
            in_threads([lambda nth=nth: self.thread(nth, start, times) for nth in range(self.threads)])
            self.end.send(times)
        except Exception as error:
            self.end.send(f"{type(error).__name__}: {error}")
        os._exit(0)

    def thread(self, nth, start, times):
        with Connection(self.place) as connection:
            for turn in range(nth, 1 << 31, self.threads):
                due = start + turn / self.rate
                # Waits for the moment; an end wakes it at once.
                if self.stop.wait(max(0, due - time.monotonic())):
                    return
                self.work(connection, turn)
                times.append((time.monotonic() - due) * 1000)


def summary(times):
    return {"p50_ms": statistics.median(times), "p99_ms": percentile(times, 99)}
