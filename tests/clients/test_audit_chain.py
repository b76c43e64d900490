"""The audit trail against whoever can write to its database or its files: nothing is taken away, changed or moved unseen."""

import gzip
import hashlib
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest

from support.aws import ACCOUNT, Aws
from support.server import Berth, wait_until

pytestmark = [pytest.mark.needs_berth, pytest.mark.own_binary]


def work(server, nth):
    """Some changes and a refusal; the events are in the database when it is over."""
    ecr = Aws(server.registry()).client("ecr")
    for part in range(3):
        ecr.create_repository(repositoryName=f"team/app-{nth}-{part}")


def links(folder):
    with closing(sqlite3.connect(folder / "berth.db")) as database:
        return [number for (number,) in database.execute("SELECT number FROM audit_links ORDER BY number")]


@pytest.fixture(scope="module")
def stopped(berth_bin, scratch):
    """A data folder with several links of several rows, whose server was stopped; the folder of its exported files."""
    folder, export = scratch / "chain", scratch / "chain-export"
    folder.mkdir()
    export.mkdir()
    settings = {"BERTH_AUDIT__EXPORT_DIR": str(export), "BERTH_AUDIT__EXPORT_INTERVAL": "1s"}
    server = Berth(berth_bin, folder / "data", folder / "log", more_environment=settings)
    server.start()
    for nth in range(4):
        before = len(links(server.data_dir))
        work(server, nth)
        wait_until("another link", lambda: len(links(server.data_dir)) > before, seconds=20)
    wait_until("exported files", lambda: list(export.rglob("*.json.gz")))
    server.stop()
    done = server.run("audit", "export")
    assert done.returncode == 0, done.stderr
    return server, export


class Copy:
    """A copy of that folder, which may be changed."""

    def __init__(self, stopped, folder):
        server, export = stopped
        shutil.copytree(server.data_dir, folder / "data")
        shutil.copytree(export, folder / "export")
        self.folder, self.data_dir, self.export = folder, folder / "data", folder / "export"
        self.server = Berth(server.binary, self.data_dir, folder / "log")

    def sql(self, text, *parameters):
        with closing(sqlite3.connect(self.data_dir / "berth.db")) as database:
            rows = database.execute(text, parameters).fetchall()
            database.commit()
            return rows

    def verify(self, *arguments):
        done = self.server.run("audit", "verify", "--json", *[str(argument) for argument in arguments])
        assert done.returncode in (0, 1), done.stderr
        report = json.loads(done.stdout)
        findings = report["findings"] + [f"{f['path']}: {f['what']}" for f in report.get("export", {}).get("findings", [])]
        assert done.returncode == (1 if findings else 0), report
        return report, findings


@pytest.fixture
def copy(stopped, tmp_path):
    return Copy(stopped, tmp_path)


def test_what_nobody_touched_is_whole(copy):
    report, findings = copy.verify("--export", copy.export)
    assert findings == []
    assert report["links"] >= 4 and report["records"] >= 12 and report["rows"] > 0
    assert report["export"]["files"] >= 1 and report["export"]["records"] >= 12
    assert report["head"]["number"] == report["last_link"]
    said = copy.server.run("audit", "verify")
    assert said.returncode == 0 and "the chain is whole" in said.stdout
    key = copy.server.run("audit", "public-key").stdout.strip()
    assert len(bytes.fromhex(key)) == 32


def middle(copy):
    """A link that is neither the first nor the last, with several rows of one record each."""
    rows = copy.sql(
        "SELECT link, COUNT(*) FROM audit_rows WHERE encoding = 'json' GROUP BY link HAVING COUNT(*) > 1 ORDER BY link"
    )
    numbers = [link for link, _ in rows if link is not None and link > 1]
    assert numbers, rows
    return numbers[0]


def test_a_record_that_was_removed_is_found(copy):
    link = middle(copy)
    copy.sql("DELETE FROM audit_rows WHERE link = ? AND place = 0", link)
    _, findings = copy.verify()
    assert findings == [f"1 rows of link {link} were removed"]


def test_a_record_that_was_changed_is_found(copy):
    link = middle(copy)
    ((id, payload),) = copy.sql("SELECT id, payload FROM audit_rows WHERE link = ? AND encoding = 'json' LIMIT 1", link)
    other = payload.replace(b'"userName":', b'"userNane":') if b'"userName":' in payload else payload + b" "
    copy.sql("UPDATE audit_rows SET payload = ? WHERE id = ?", other, id)
    _, findings = copy.verify()
    assert findings == [f"row {id} of link {link} was changed"]
    # with the hash that the changed record has
    copy.sql("UPDATE audit_rows SET digest = ? WHERE id = ?", hashlib.sha256(other).digest(), id)
    _, findings = copy.verify()
    assert findings == [f"link {link} was changed"]


def test_records_that_changed_places_are_found(copy):
    link = middle(copy)
    copy.sql("UPDATE audit_rows SET place = CASE place WHEN 0 THEN 1 ELSE 0 END WHERE link = ? AND place < 2", link)
    _, findings = copy.verify()
    assert findings == [f"rows of link {link} were reordered"]


def test_a_link_that_was_removed_is_found(copy):
    link = middle(copy)
    copy.sql("DELETE FROM audit_rows WHERE link = ?", link)
    copy.sql("DELETE FROM audit_links WHERE number = ?", link)
    _, findings = copy.verify()
    assert f"links {link} to {link} were removed" in findings


def test_a_signature_of_somebody_else_is_found(copy):
    link = middle(copy)
    copy.sql("UPDATE audit_links SET signature = ? WHERE number = ?", bytes(64), link)
    _, findings = copy.verify()
    assert findings == [f"link {link} is not signed by this registry"]


def test_an_end_that_was_cut_off_is_found_by_a_head_that_was_kept(copy):
    kept = copy.folder / "head.json"
    kept.write_text(json.dumps(copy.verify()[0]))
    last = links(copy.data_dir)[-1]
    copy.sql("DELETE FROM audit_rows WHERE link = ?", last)
    copy.sql("DELETE FROM audit_links WHERE number = ?", last)
    _, findings = copy.verify("--head", kept)
    assert any("the chain was cut" in finding for finding in findings), findings
    head = json.loads(kept.read_text())["head"]
    kept.write_text(json.dumps(head | {"hash": "00" * 32}))
    _, findings = copy.verify("--head", kept)
    assert any("the kept head" in finding for finding in findings), findings


def test_files_are_as_cloudtrail_writes_them(copy):
    files = sorted(copy.export.rglob("*.json.gz"))
    names = []
    for path in files:
        below = path.relative_to(copy.export).parts
        assert below[:5] == ("AWSLogs", below[1], "CloudTrail", "us-east-1", below[4]) and len(below) == 8
        assert path.name.startswith(f"{below[1]}_CloudTrail_us-east-1_{''.join(below[4:7])}T"), path
        records = json.loads(gzip.decompress(path.read_bytes()))["Records"]
        assert records and all(record["recipientAccountId"] == below[1] for record in records)
        names += [record["requestParameters"]["repositoryName"] for record in records if record["eventName"] == "CreateRepository"]
        digest = json.loads(digest_of(copy, path).read_text())["digest"]
        assert digest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() and digest["records"] == len(records)
    # each once, in the order in which they were made
    assert sorted(names) == sorted({f"team/app-{nth}-{part}" for nth in range(4) for part in range(3)})
    assert not list(copy.export.rglob("*.part"))


def digest_of(copy, path):
    return copy.export / str(path.relative_to(copy.export)).replace("CloudTrail", "CloudTrail-Digest").replace(".json.gz", ".json")


def own_files(copy):
    files = sorted(copy.export.rglob(f"{ACCOUNT}_CloudTrail_*.json.gz"), key=lambda path: last_link(copy, path))
    assert len(files) > 2, files
    return files


def last_link(copy, path):
    return json.loads(digest_of(copy, path).read_text())["digest"]["last"]["number"]


def test_a_file_that_was_changed_is_found(copy):
    path = own_files(copy)[1]
    records = json.loads(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(json.dumps({"Records": records["Records"][:-1]}).encode()))
    _, findings = copy.verify("--export", copy.export)
    assert findings == [f"{path.relative_to(copy.export)}: was changed: its bytes are not those of its digest file"]
    digest = digest_of(copy, path)
    text = digest.read_text()
    digest.write_text(text.replace(json.loads(text)["digest"]["sha256"], hashlib.sha256(path.read_bytes()).hexdigest()))
    _, findings = copy.verify("--export", copy.export)
    assert f"{digest.relative_to(copy.export)}: has a wrong signature" in findings


@pytest.mark.parametrize("which", [1, -1])
def test_a_file_that_was_removed_is_found(copy, which):
    path = own_files(copy)[which]
    path.unlink()
    _, findings = copy.verify("--export", copy.export)
    assert any(str(path.relative_to(copy.export)) in finding and "missing" in finding for finding in findings), findings
    digest_of(copy, path).unlink()
    _, findings = copy.verify("--export", copy.export)
    assert any("missing" in finding for finding in findings), findings


def test_files_that_are_deleted_from_the_beginning_on_are_no_finding(copy):
    first = own_files(copy)[0]
    digest_of(copy, first).unlink()
    first.unlink()
    assert copy.verify("--export", copy.export)[1] == []


def test_a_file_that_nobody_exported_is_found(copy):
    path = own_files(copy)[0]
    stranger = path.with_name(path.name.replace("Z_", "Z_F"))
    shutil.copy(path, stranger)
    _, findings = copy.verify("--export", copy.export)
    assert findings == [f"{stranger.relative_to(copy.export)}: has no digest file that is good"]


def test_files_of_another_chain_are_found(copy):
    link = last_link(copy, own_files(copy)[1])
    copy.sql("UPDATE audit_links SET hash = ? WHERE number = ?", bytes(32), link)
    _, findings = copy.verify("--export", copy.export)
    assert any(f"names link {link}, which is another one in the chain" in finding for finding in findings), findings


def test_export_goes_on_when_its_folder_is_there_again(copy):
    copy.server.more_environment["BERTH_AUDIT__EXPORT_DIR"] = str(copy.folder / "gone")
    copy.server.more_environment["BERTH_AUDIT__EXPORT_INTERVAL"] = "1s"
    with closing_server(copy.server):
        work(copy.server, "later")
        wait_until("a warning", lambda: "could not be exported" in copy.server.log.read_text())
        assert not (copy.folder / "gone").exists()
        shutil.move(copy.export, copy.folder / "gone")
        written = lambda: "team/app-later-2" in everything(copy.folder / "gone")
        wait_until("the missing files", written)
    report, findings = copy.verify("--export", copy.folder / "gone")
    assert findings == [] and report["export"]["files"]


def test_writing_again_what_was_written_is_harmless(copy):
    """As after a crash between the files and the position: the same files, byte for byte."""
    before = {path: path.read_bytes() for path in copy.export.rglob("*.json*")}
    newest = own_files(copy)[-1]
    digest = json.loads(digest_of(copy, newest).read_text())["digest"]
    position = json.dumps({"done": digest["behind"]["number"], "planned": digest["last"]["number"]}, separators=(",", ":"))
    copy.sql("UPDATE properties SET value = ? WHERE name = 'audit_export'", position.encode())
    previous = json.dumps(digest["previous"], separators=(",", ":"))
    copy.sql(f"UPDATE properties SET value = ? WHERE name = 'audit_export/{ACCOUNT}/us-east-1'", previous.encode())
    copy.server.more_environment["BERTH_AUDIT__EXPORT_DIR"] = str(copy.export)
    copy.server.more_environment["BERTH_AUDIT__EXPORT_SIZE"] = "1"
    newest.unlink()
    done = copy.server.run("audit", "export")
    assert done.returncode == 0, done.stderr
    after = {path: path.read_bytes() for path in copy.export.rglob("*.json*")}
    assert {path: after.get(path) for path in before} == before
    assert copy.verify("--export", copy.export)[1] == []


def test_there_must_be_a_folder_to_export_to(copy):
    done = copy.server.run("audit", "export")
    assert done.returncode == 2 and "audit.export_dir" in done.stderr
    copy.server.more_environment["BERTH_AUDIT__EXPORT_DIR"] = str(copy.folder / "nowhere")
    done = copy.server.run("audit", "export")
    assert done.returncode in (0, 3)
    if done.returncode == 3:
        assert "nowhere" in done.stderr


class closing_server:
    """A server that runs in a block."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        return self.server.start()

    def __exit__(self, *failure):
        if any(failure):
            self.server.kill()
        else:
            self.server.stop()


def everything(folder):
    return "".join(gzip.decompress(path.read_bytes()).decode() for path in folder.rglob("*.json.gz"))


def test_the_key_prints_alike(copy):
    done = subprocess.run(
        [copy.server.binary, "audit", "public-key", "--json", "--data-dir", str(copy.data_dir)],
        env=copy.server.environment(), capture_output=True, text=True, check=True,
    )
    told = json.loads(done.stdout)
    assert told == {"algorithm": "Ed25519", "public_key": copy.server.run("audit", "public-key").stdout.strip()}
