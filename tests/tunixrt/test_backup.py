"""An installation is backed up while it works and restored into an empty home, or refused with the reason."""

import errno
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import tarfile

import pytest
import zstandard
from django.db import connection

from datasets_app.services import seed_dataset
from runs.services import launch_run
from tests.needs import ROOT
from tests.runs.making import TINY, write_losses
from tests.stack import Stack, stack
from training.files import append_line
from tunixrt.backup import backup, databases, restoring, writing
from tunixrt.backup.manifest import DUMPS, Entry, Manifest
from tunixrt.backup.writing import cut_to_lines
from tunixrt.jobs.child import CHILD
from tunixrt.lib.errors import Conflict, NotFound, NotInstalled, OutOfSpace, Refused, Rule

FILL = """
call_command("migrate", verbosity=0)
from datasets_app.services import seed_dataset
from runs.services import launch_run
from tests.runs.making import TINY, begin, completed, write_losses
dataset = seed_dataset(key="chain-test", count=60, seed=1, difficulty=2)
done = completed(dataset, name="done", seed=1)
running = launch_run(dataset_key=dataset.key, config=TINY, name="running", seed=2)
begin(running)
for run in (done, running):
    write_losses(run, [4.0, 2.0])
    for step, files in ((2, ("params", "MANIFEST.json")), (4, ("params",))):
        (run.directory / "checkpoints" / str(step)).mkdir(parents=True)
        for name in files:
            (run.directory / "checkpoints" / str(step) / name).write_text(f"{run.pk} {name}")
with (running.directory / "metrics.jsonl").open("a") as file:
    file.write('{"step": 3, "lo')
call_command("backup", sys.argv[1])
"""
RESTORE = """
call_command("restore", sys.argv[1])
call_command("doctor")
"""
ROWS = """
from datasets_app.models import *; from runs.models import *; from traces.models import *
rows = {
    model.__name__: [(str(row["pk"]), row["fields"]) for row in serialize("python", model.objects.order_by("pk"))]
    for model in (Trace, Dataset, DatasetItem, EvalSet, EvalItem, Run, RunEvent, Evaluation, Prediction)
}
print(json.dumps(rows, default=str))
"""


def rows_after(where: Stack, code: str, *arguments: str) -> dict:
    """Every row of an installation, after `code` was run in it."""
    begin = "import json, sys, django; django.setup(); from django.core.management import call_command\n"
    begin += "from django.core.serializers import serialize\n"
    environment = where.environment | {"DJANGO_SETTINGS_MODULE": "tunixrt.settings"}
    argv = [sys.executable, "-c", begin + code + ROWS, *arguments]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def hashes(where: Stack) -> dict[str, str]:
    files = [path for top in ("datasets", "evalsets", "artifacts") for path in (where.home / top).rglob("*")]
    return {
        str(path.relative_to(where.home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }


@pytest.mark.parametrize("kind", ["embedded", pytest.param("services", marks=pytest.mark.services)])
def test_a_live_installation_comes_back_in_an_empty_home(tmp_path, kind):
    archive = tmp_path / "backup.tar.zst"
    with stack(tmp_path / "a", kind, migrated=False) as old, stack(tmp_path / "b", kind, migrated=False) as new:
        before, after = rows_after(old, FILL, str(archive)), rows_after(new, RESTORE, str(archive))
        running, done = (next(pk for pk, run in before["Run"] if run["name"] == name) for name in ("running", "done"))
        assert not list(old.home.glob(".backup*"))
        assert archive.stat().st_mode & 0o777 == 0o600
        for model in ("Trace", "Dataset", "DatasetItem", "EvalSet", "EvalItem", "Evaluation", "Prediction"):
            assert before[model]
            assert after[model] == before[model]
        assert dict(after["Run"])[done] == dict(before["Run"])[done]
        assert (dict(before["Run"])[running]["status"], dict(after["Run"])[running]["status"]) == (
            "training",
            "pending",
        )
        assert after["RunEvent"][-1][1]["reason"] == "its worker is gone: this is a restored backup"
        kept, was = hashes(new), hashes(old)
        lost = {name.partition(f"{running}/")[2] for name in was if kept.get(name) != was[name] and running in name}
        assert lost == {"metrics.jsonl", "checkpoints/4/params"}  # the half line, the checkpoint that is not sealed
        assert {name for name in was if kept.get(name) != was[name] and done in name} == {
            f"artifacts/training_runs/{done}/checkpoints/4/params"
        }
        assert (new.home / f"artifacts/training_runs/{running}/metrics.jsonl").read_text().count("\n") == 2


@pytest.fixture
def archive(db, tmp_path, monkeypatch):
    """A backup of a home with a dataset and a run. The rows are left out: a test's own transaction locks them."""
    monkeypatch.setattr(databases, "dump", lambda target: target.write_bytes(b"rows"))
    run = launch_run(dataset_key=seed_dataset(key="chain-1", count=20, seed=1, difficulty=2).key, config=TINY)
    write_losses(run, [4.0])
    backup(tmp_path / "backup.tar.gz")
    return tmp_path / "backup.tar.gz"


@pytest.fixture
def into(tmp_path):
    (tmp_path / "aside").mkdir()
    return tmp_path / "aside"


def test_an_archive_is_written_once_whole_or_not_at_all(archive, monkeypatch, home):
    with pytest.raises(Conflict, match="is there already"):
        backup(archive)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tunixrt.backup.writing.file_sha256", full)
    target = archive.with_name("second.tar.zst")
    with pytest.raises(OutOfSpace, match="no room"):
        backup(target)
    assert not list(target.parent.glob("*second*"))
    assert not list(home.glob(".backup*"))


def test_a_directory_is_a_backup_too_and_shares_no_file(archive, tmp_path, into):
    backup(tmp_path / "plain")
    assert (
        restoring.unpack(tmp_path / "plain", into).files.keys() == restoring.unpack(archive, fresh(into)).files.keys()
    )
    assert all(path.stat().st_nlink == 1 for path in (tmp_path / "plain").rglob("*") if path.is_file())


def fresh(path):
    new = path.with_name(path.name + "-2")
    new.mkdir()
    return new


def members(archive) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def packed(archive, files, *more: tarfile.TarInfo):
    """An archive of these files and members, in the place of `archive`."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in more:
            tar.addfile(member)
    archive.write_bytes(zstandard.compress(plain.getvalue()))
    return archive


def test_a_changed_byte_is_named(archive, into):
    files = members(archive)
    name = next(name for name in files if name.endswith("dataset.jsonl"))
    files[name] = files[name].replace(b"Start", b"Stark", 1)
    with pytest.raises(Rule, match=f"{name} in the archive is not what was backed up"):
        restoring.unpack(packed(archive, files), into)


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9, 0.999])
def test_a_flipped_bit_of_the_archive_is_seen(archive, into, where):
    data = bytearray(archive.read_bytes())
    data[int(where * len(data))] ^= 1
    archive.write_bytes(data)
    with pytest.raises(Refused):
        restoring.unpack(archive, into)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_an_archive_that_was_cut_off_is_refused(archive, into, kept):
    archive.write_bytes(archive.read_bytes()[: int(kept * archive.stat().st_size)])
    with pytest.raises(Refused):
        restoring.unpack(archive, into)


def odd(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


HOSTILE = {
    "a link": odd("datasets/x", tarfile.SYMTYPE, "../../../etc/passwd"),
    "a link inside": odd("datasets/x", tarfile.SYMTYPE, "chain-1"),
    "a hard link": odd("datasets/x", tarfile.LNKTYPE, "MANIFEST.json"),
    "a device": odd("datasets/x", tarfile.CHRTYPE),
    "a pipe": odd("datasets/x", tarfile.FIFOTYPE),
    "a directory": odd("datasets/x", tarfile.DIRTYPE),
    "a way out": odd("../x", tarfile.REGTYPE),
    "an absolute path": odd("/etc/x", tarfile.REGTYPE),
    "a file that nobody named": odd("datasets/x", tarfile.REGTYPE),
    "the key": odd("secret_key", tarfile.REGTYPE),
}


@pytest.mark.parametrize("member", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_refused(archive, into, tmp_path, member):
    before = set(tmp_path.rglob("*"))
    with pytest.raises(Refused):
        restoring.unpack(packed(archive, members(archive), member), into)
    assert {path for path in set(tmp_path.rglob("*")) - before if into not in path.parents} == set()


OURS = connection.vendor
(OTHER,) = set(DUMPS) - {OURS}
DUMP = DUMPS[OURS]


def manifest(*paths: str, size: int = 0, database: str = OURS, migrations: tuple = (), **more) -> bytes:
    empty = hashlib.sha256(b"").hexdigest()
    files = {path: Entry(path, size, empty) for path in paths}
    return json.dumps(Manifest("now", database, list(migrations), files).to_dict() | more).encode()


MANIFESTS = {
    "no JSON": (b"{", "cannot be read"),
    "a list": (b"[]", "cannot be read"),
    "another format": (manifest(DUMP, format_version=2), "format 2"),
    "no database": (manifest("datasets/a/b"), "names no database"),
    "another database": (manifest(DUMPS[OTHER], database=OTHER), f"DATABASE_URL names {OURS}"),
    "a newer schema": (manifest(DUMP, migrations=("runs.9999_later",)), "newer tunixrt.*runs.9999_later"),
    "a way out": (manifest(DUMP, "datasets/../../x"), "no backup holds"),
    "an absolute path": (manifest(DUMP, "/etc/x"), "no backup holds"),
    "the key": (manifest(DUMP, "secret_key"), "no backup holds"),
    "a bomb": (manifest(DUMP, size=2**60), "bytes, and"),
    "a file that is missing": (manifest(DUMP, "datasets/a/b"), "ends early: it lacks 2 files"),
    "a negative size": (manifest(DUMP, size=-1), "names no database"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("data", "words"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_cannot_be_trusted_is_refused(tmp_path, into, data, words):
    with pytest.raises(Refused, match=words):
        restoring.unpack(packed(tmp_path / "a.tar.zst", {"MANIFEST.json": data}), into)


@pytest.mark.django_db
def test_what_is_no_archive_is_refused(tmp_path, into):
    (tmp_path / "x").write_bytes(b"PK")
    with pytest.raises(Rule, match="neither gzip nor Zstandard"):
        restoring.unpack(tmp_path / "x", into)
    with pytest.raises(NotFound):
        restoring.restore(tmp_path / "absent")
    with pytest.raises(Rule, match="does not begin with"):
        restoring.unpack(into, fresh(into))


def test_a_home_or_a_database_that_holds_something_is_refused(archive, home):
    with pytest.raises(Conflict, match="datasets is not empty"):
        restoring.restore(archive)
    os.rename(home / "datasets", home / "away")
    for folder in ("evalsets", "artifacts", "tokenizers"):
        if (home / folder).exists():
            os.rename(home / folder, home / f"{folder} away")
    with pytest.raises(Conflict, match=r"The database .* is not empty"):
        restoring.restore(archive)


def test_a_restore_whose_database_cannot_be_loaded_leaves_the_home_empty_for_a_second_try(
    archive, home, settings, monkeypatch
):
    settings.TUNIXRT_HOME = new = fresh(home)
    (new / ".restore.killed.tmp" / "datasets").mkdir(parents=True)
    monkeypatch.setattr(databases, "require_empty", lambda: None)

    def refuses(dump):
        assert (new / "datasets" / "chain-1").is_dir()
        raise Rule("pg_restore: no")

    monkeypatch.setattr(databases, "load", refuses)
    for _ in range(2):
        with pytest.raises(Rule, match="pg_restore: no"):
            restoring.restore(archive)
        assert list(new.iterdir()) == []


def test_no_checkpoint_of_a_backup_is_newer_than_its_lines_and_none_knows_the_process(tmp_path, monkeypatch):
    run, kept, steps, keep_file = tmp_path / "run", tmp_path / "kept", itertools.count(1), writing.keep_file

    def train() -> None:
        step = next(steps)
        (run / "checkpoints" / f"{step}").mkdir(parents=True)
        append_line(run / "metrics.jsonl", json.dumps({"step": step}))
        (run / "checkpoints" / f"{step}" / "MANIFEST.json").write_text("{}")

    def keep_while_it_trains(*arguments, **options) -> None:
        keep_file(*arguments, **options)
        train()

    train()
    (run / CHILD).write_text("{}")
    monkeypatch.setattr(writing, "keep_file", keep_while_it_trains)
    writing.keep_run(run, kept, link=False)
    last = json.loads((kept / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    assert max(int(path.name) for path in (kept / "checkpoints").iterdir()) <= last
    assert sorted(path.name for path in kept.iterdir()) == ["checkpoints", "metrics.jsonl"]


def test_postgres_without_its_programs_says_how_to_install_them(monkeypatch):
    monkeypatch.setattr(databases, "connection", type("Server", (), {"vendor": "postgresql"}))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotInstalled, match="apt-get install postgresql-client"):
        databases.require_means("postgresql")


@pytest.mark.parametrize(
    ("text", "kept"),
    [("", ""), ("a\nb\n", "a\nb\n"), ("a\nb", "a\n"), ("x" * 200_000, ""), ("a\n" + "x" * 200_000, "a\n")],
)
def test_a_half_line_at_the_end_is_left_out(tmp_path, text, kept):
    (tmp_path / "f").write_text(text)
    cut_to_lines(tmp_path / "f")
    assert (tmp_path / "f").read_text() == kept
