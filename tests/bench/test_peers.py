"""bench/peers: that it measures everything it has a row for, and that what it makes of its samples is right.

What it measures is of no interest here: sizes are tiny, and tests never depend on a time.
"""

import datetime
import json
import os
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from peer_bench import content, described, ecr, load, phases, plot, report, rows, watch, wire  # noqa: E402

BERTH = "berth"


@pytest.mark.needs_berth
def test_every_row_is_measured(berth_bin, scratch):
    kept = scratch / "peers.json"
    environment = os.environ | {"BERTH_BIN": berth_bin}
    command = [sys.executable, ROOT / "bench/peers", "--quick", "--json", kept, "--tmp", scratch]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "quick: figures mean nothing" in done.stdout
    known = json.loads(kept.read_text())
    assert known["failures"] == {}
    assert {told["row"] for told in known["rows"]} == {row.name for row in rows.FILES}
    told = {(told["row"], told["against"]) for told in known["rows"]}
    assert told >= {(row.name, against) for row in rows.FILES for against in row.bars}
    for one in known["rows"]:
        assert plausible(one), one
    assert all(known["about"]["versions"].values()) and len(known["about"]["binary_sha256"]) == 64
    assert not list(scratch.glob("berth-peers-*")), "its temporary folder is left"


def plausible(told):
    # A disk that does not count flushes, or a loop device, may well tell none.
    least = 0 if told["row"] == "images-flushes" else 1e-9
    figures = [told["berth"], told["ratio"], told["least"], told["most"]]
    return all(least <= figure < 1e9 for figure in figures) and told["least"] <= told["ratio"] <= told["most"]


def test_every_row_has_a_phase():
    known = {phase.name for phase in phases.PHASES}
    for of_storage in rows.ROWS.values():
        assert {row.phase for row in of_storage} <= known
        assert len({row.name for row in of_storage}) == len(of_storage)


def test_rows_are_chosen_by_their_name_or_their_phases():
    assert [row.name for row in rows.chosen("files", ["gc"])] == ["gc-pulls", "gc-pushes"]
    assert [row.name for row in rows.chosen("files", ["tls", "push"])] == ["push", "tls"]
    assert rows.chosen("files", []) == rows.FILES
    with pytest.raises(ValueError, match="no such row: nothing"):
        rows.chosen("files", ["nothing"])


ROW = rows.Row("name", "phase", "cost", "s", rows.LESS, "title", {"other": (2.0, 1.0), rows.NOBODY: (5.0, 1.0)})
SAMPLES = {
    BERTH: [{"cost": 2.0}, {"cost": 30.0}, {"cost": 4.0}],
    "other": [{"cost": 1.0}, {"cost": 10.0}, {"cost": 4.0}],
}


def test_ratios_are_those_of_a_round():
    beside, alone = rows.comparisons(ROW, SAMPLES)
    assert (beside.berth, beside.peer) == (4.0, 4.0)
    assert (beside.least, beside.ratio, beside.most) == (1.0, 2.0, 3.0)
    assert (beside.verdict, beside.bar, beside.aim) == ("bar", 2.0, 1.0)
    assert (alone.peer, alone.ratio, alone.least, alone.most, alone.verdict) == (None, 4.0, 2.0, 30.0, "bar")


def test_who_has_no_bar_is_told_and_not_judged():
    samples = SAMPLES | {"third": [{"cost": 1.0}] * 3, "without": [{"more": 1.0}] * 3}
    told = rows.comparisons(ROW, samples)
    assert [one.against for one in told] == ["other", rows.NOBODY, "third"]
    assert (told[-1].verdict, told[-1].bar) == ("", None)


def test_phases_that_failed_are_left_out():
    assert rows.compare_all([ROW], {}) == []


@pytest.mark.parametrize(
    ("ratio", "better", "expected"),
    [
        (0.8, rows.LESS, "aim"),
        (0.9, rows.LESS, "aim"),
        (1.0, rows.LESS, "bar"),
        (1.01, rows.LESS, "MISSED"),
        (0.99, rows.MORE, "bar"),
        (0.89, rows.MORE, "MISSED"),
        (1.2, rows.MORE, "aim"),
    ],
)
def test_verdicts(ratio, better, expected):
    bar, aim = (1.0, 0.9) if better == rows.LESS else (0.9, 1.1)
    assert rows.verdict(ratio, bar, aim, better) == expected


def test_times_better_than_the_bar():
    assert rows.times_better(0.5, 1.0, rows.LESS) == 2
    assert rows.times_better(30, 15, rows.MORE) == 2
    assert rows.times_better(0, 1.0, rows.LESS) == float("inf")


def test_flushes_are_the_sixteenth_field():
    line = " 27292 8077 10415038 10390400 256525 19974 155336 240027 0 22316 35697 375 52 10 5 41602 7996\n"
    assert watch.flushes_in(line) == 41602
    with pytest.raises(ValueError):
        watch.flushes_in("1 2 3 4 5 6 7 8 9 10 11")


def test_cpu_time_of_a_program_with_an_odd_name():
    fields = " ".join(str(nth) for nth in range(4, 53))
    assert watch.ticks_in(f"12 (a) b) (c) S {fields}") == 14 + 15


def test_processes_are_found_with_their_children():
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"], start_new_session=True) as shell:
        while len(watch.family(shell.pid)) < 2:
            assert shell.poll() is None
        os.killpg(shell.pid, 9)


@pytest.mark.parametrize(("values", "percent", "expected"), [([5, 1, 3], 99, 5), (range(1, 101), 99, 99), ([7], 50, 7)])
def test_percentiles(values, percent, expected):
    assert load.percentile(values, percent) == expected


def test_wrong_answers_of_wrk_are_no_figures():
    line = 'figures: {"requests": 20, "microseconds": 2000000, "p50": 100, "p99": 5000, "wrong": %d}'
    assert load.wrk_figures(f"Running\n{line % 0}\n") == {"requests": 20, "rate": 10, "p50_ms": 0.1, "p99_ms": 5}
    for told in (line % 1, "unable to connect"):
        with pytest.raises(wire.WrongAnswer):
            load.wrk_figures(told)


def test_what_a_file_holds_is_asked_in_turn(tmp_path):
    requests = [f"GET /{nth} HTTP/1.1\r\nHost: h\r\n\r\n".encode() for nth in range(3)]
    asked = []

    def answer(listener):
        # wrk first looks whether anybody is there, on a connection of its own.
        for _ in range(2):
            connection, _ = listener.accept()
            with connection, suppress(ConnectionError):
                while got := connection.recv(1000):
                    asked.append(got)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        place = wire.Place(*listener.getsockname())
        figures = load.wrk_replay(place, load.write_requests(tmp_path / "requests", requests), 1, 1)
    assert len(asked) >= figures["requests"] >= 4
    first = requests.index(asked[0])
    assert all(got == requests[(first + nth) % 3] for nth, got in enumerate(asked))


def test_signatures_are_those_of_an_sdk(monkeypatch):
    signer, at = ecr.Signer("127.0.0.1:5000", "AKIDEXAMPLE", "secret/+"), 1_790_000_000
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: moment)
    sent = ecr.describe_digest(signer, "a/b", "sha256:0f", at)
    head, _, body = sent.decode().partition("\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert int(headers["content-length"]) == len(body)
    assert json.loads(body) == {"repositoryName": "a/b", "imageIds": [{"imageDigest": "sha256:0f"}]}
    theirs = AWSRequest("POST", "http://127.0.0.1:5000/", data=body)
    for name in ("content-type", "x-amz-target"):
        theirs.headers[name] = headers[name]
    botocore.auth.SigV4Auth(Credentials(signer.key_id, signer.secret), "ecr", "us-east-1").add_auth(theirs)
    assert theirs.headers["Authorization"] == headers["authorization"]
    assert theirs.headers["X-Amz-Date"] == headers["x-amz-date"]


def test_no_request_to_describe_comes_twice():
    class Server:
        place = wire.Place("127.0.0.1", 5000)
        berth = type("Berth", (), {"user": "AKIDEXAMPLE", "password": "secret"})

    phase = described.DescribeImages()
    phase.images = content.new_images(7)
    requests = phase.requests(Server, BERTH, 100)
    assert len(set(requests)) == 100
    for image, request in zip(phase.images * 15, requests):
        assert image.digest.encode() in request


@pytest.mark.parametrize("name", ["imageDigest", "imageTags", "imageSizeInBytes", "imagePushedAt"])
def test_wrong_descriptions_are_no_answers(name):
    expected = described.expected("a", "sha256:0f", ["t"], 7)
    right = expected | {"imagePushedAt": datetime.datetime.now().timestamp(), "imageStatus": "ACTIVE"}
    ecr.check_detail(right, expected)
    with pytest.raises(wire.WrongAnswer):
        ecr.check_detail(right | {name: 3}, expected)


def test_headers_are_found_whatever_their_case():
    answer = wire.Answer(202, b"HTTP/1.1 202 Accepted\r\nLOCATION: http://h:1/v2/x?a=b\r\nContent-Length: 0\r\n")
    assert answer.path() == "/v2/x?a=b"
    assert answer.header("content-length") == "0" and answer.header("Link") is None


def test_the_plot_is_well_formed():
    told = rows.comparisons(ROW, SAMPLES)
    odd = replace(told[0], title="a < b & c", ratio=0.0)
    image = xml.etree.ElementTree.fromstring(plot.plot([*told, odd]))
    assert image.tag.endswith("svg")
    assert len([part for part in image.iter() if part.tag.endswith("rect")]) == 3
    xml.etree.ElementTree.fromstring(plot.plot([]))


def test_only_the_measured_part_of_a_page_is_replaced():
    page = "a\n<!-- m: begin -->\nold\n<!-- m: end -->\nb <!-- n: begin --><!-- n: end -->\n"
    changed = report.replaced(page, "m", "new \\1\n")
    assert changed == "a\n<!-- m: begin -->\nnew \\1\n<!-- m: end -->\nb <!-- n: begin --><!-- n: end -->\n"
    with pytest.raises(ValueError):
        report.replaced(page, "other", "")


@pytest.mark.parametrize("storage", list(rows.ROWS))
def test_docs_are_written(storage, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "performance.md").write_text((ROOT / "docs/performance.md").read_text())
    machine = {"cores": 2, "processor": "some", "memory_mib": 2048, "kernel": "6"}
    about = {"storage": storage, "machine": machine, "load_average_before": [0.1] * 3, "versions": {"a": "1"}}
    about |= {"rounds": 5}
    told = rows.comparisons(ROW, SAMPLES)
    known = {"about": about, "rows": [one.as_dict() for one in told]}
    report.write_docs(tmp_path, known, told)
    page = (tmp_path / "performance.md").read_text()
    assert "| title, s | 4 | other | 4 | 2 (1 to 3) | ≤ 2 | ≤ 1 | bar |" in page
    assert json.loads((tmp_path / "results" / report.KEPT[storage]).read_text()) == known
    assert (tmp_path / "performance.svg").exists() == (storage == "files")
