"""Parquet with its card: the same rows, the same bytes, and nothing that people wrote becomes markup."""

import io
import json
import os
import zipfile

import pyarrow.parquet as pq
import pytest
import yaml
from django.core.management import CommandError, call_command

from datasets_app import services
from datasets_app.exports import directory
from datasets_app.exports.card import path_of
from tests.factories import make_payload, make_traces, store
from training.errors import Invalid
from training.renderers import plain_prompt, plain_response
from tunixrt.lib.errors import Conflict, OutOfSpace, Rule, Unavailable

pytestmark = pytest.mark.django_db

HOSTILE = "</code>\n---\nconfigs: []\n```\n# Owned <script>\n| a | b |\n[x](javascript:0)\u202e\x07 {{ x }}"


@pytest.fixture
def golden():
    return services.seed_dataset(key="golden-v2")


@pytest.fixture
def hostile():
    store([make_payload(HOSTILE, steps=[HOSTILE, HOSTILE], final_answer=HOSTILE, meta={"tags": [], "x": HOSTILE})])
    make_traces(20)
    request = {"dataset_name": "hostile", "dataset_version": "1", "filters": {"x": HOSTILE}, "instruction": HOSTILE}
    return services.build_dataset(request=request | {"selection_strategy": "all"}, by=None)[0]


def files(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def unpacked(archive):
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return {name: opened.read(name) for name in opened.namelist()}


def front_matter(card: str) -> dict:
    start, contents, _ = card.split("---\n", 2)
    assert not start
    return yaml.safe_load(contents)


def frozen_rows(dataset, split):
    rows = map(json.loads, dataset.rows_path.read_text(encoding="utf-8").split("\n")[:-1])
    return [row for row in rows if row["split"] == split]


def test_each_split_is_a_file_of_its_rows_in_their_order(golden, tmp_path):
    assert services.export_parquet(golden, output=tmp_path / "out") == 100
    for split in ("train", "valid", "test"):
        table = pq.read_table(tmp_path / "out" / path_of(split))
        assert table.column_names == ["id", "prompt", "steps", "final_answer", "meta", "messages"]
        for row, frozen in zip(table.to_pylist(), frozen_rows(golden, split), strict=True):
            user, assistant = row.pop("messages")
            assert user == {"role": "user", "content": plain_prompt(frozen["prompt"], golden.instruction)}
            assert assistant == {"role": "assistant", "content": plain_response(frozen, golden.recipe)}
            assert row | {"meta": json.loads(row["meta"]), "split": split} == frozen


def test_a_row_without_meta_has_null_there(tmp_path):
    make_traces(3)
    dataset, _ = services.build_dataset(request={"dataset_name": "bare", "dataset_version": "1"}, by=None)
    services.export_parquet(dataset, output=tmp_path / "out")
    tables = [pq.read_table(file) for file in (tmp_path / "out" / "data").iterdir()]
    assert [value for table in tables for value in table.column("meta").to_pylist()] == [None] * 3


def test_the_same_dataset_gives_the_same_bytes_and_the_zip_holds_the_directory(golden, tmp_path):
    services.export_parquet(golden, output=tmp_path / "one")
    services.export_parquet(golden, output=tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    with services.export_zip(golden) as first, services.export_zip(golden) as second:
        content = first.read()
        assert content == second.read()
    assert unpacked(io.BytesIO(content)) == files(tmp_path / "one")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_rows_are_written_group_by_group_whatever_their_number(golden, tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "GROUP_BYTES", 2_000)
    services.export_parquet(golden, output=tmp_path / "out", split="train")
    file = pq.ParquetFile(tmp_path / "out" / path_of("train"))
    assert file.num_row_groups > 3
    assert [row["id"] for row in file.read().to_pylist()] == [row["id"] for row in frozen_rows(golden, "train")]


def test_one_split_alone(golden, tmp_path):
    assert services.export_parquet(golden, output=tmp_path / "out", split="test") == 12
    assert set(files(tmp_path / "out")) == {"README.md", path_of("test")}
    card = front_matter((tmp_path / "out" / "README.md").read_text())
    assert card["configs"][0]["data_files"] == [{"split": "test", "path": path_of("test")}]


def test_a_split_without_rows_has_no_file_and_cannot_be_asked_for(tmp_path):
    golden = services.seed_dataset(key="golden-v1")
    empty = [split for split in ("train", "valid", "test") if not golden.splits[split]]
    assert empty
    services.export_parquet(golden, output=tmp_path / "out")
    card = front_matter((tmp_path / "out" / "README.md").read_text())
    named = {entry["name"] for entry in card["dataset_info"]["splits"]}
    assert named == {"train", "valid", "test"} - set(empty)
    assert set(files(tmp_path / "out")) == {"README.md", *map(path_of, named)}
    with pytest.raises(Rule, match=f"no rows in its {empty[0]} split"):
        services.export_parquet(golden, output=tmp_path / "other", split=empty[0])
    with pytest.raises(Rule):
        services.export_zip(golden, split=empty[0])


def test_the_card_says_what_the_dataset_is(golden, tmp_path):
    services.export_parquet(golden, output=tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    facts = front_matter(card)
    assert facts["pretty_name"] == "golden-v2"
    assert facts["size_categories"] == ["n<1K"]
    splits = {entry["name"]: entry["num_examples"] for entry in facts["dataset_info"]["splits"]}
    assert splits == {split: golden.splits[split] for split in ("train", "valid", "test")}
    for part in (golden.content_sha256, "trace_sft_v1", golden.instruction, "| train | 80 |", '"selection_strategy"'):
        assert part in card
    assert all(gate["check"].split()[0] in card for gate in golden.gates)
    assert "load_dataset(" in card
    assert "Contaminated" not in card


def test_a_contaminated_dataset_says_so_on_its_card(golden, tmp_path):
    golden.leak_count = 3
    services.export_parquet(golden, output=tmp_path / "out")
    assert "**Contaminated**: 3 rows" in (tmp_path / "out" / "README.md").read_text()


def test_what_people_wrote_stays_text_on_the_card(hostile, tmp_path):
    services.export_parquet(hostile, output=tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert set(front_matter(card)) == {
        "pretty_name",
        "task_categories",
        "tags",
        "size_categories",
        "dataset_info",
        "configs",
    }
    assert front_matter(card)["configs"]
    assert "\u202e" not in card
    assert "\x07" not in card
    outside = text_outside_fences(card)
    assert "Owned" not in outside
    assert "javascript" not in outside


def text_outside_fences(card: str) -> str:
    kept, fence = [], None
    for line in card.split("\n"):
        ticks = line[: len(line) - len(line.lstrip("`"))]
        if fence is None and len(ticks) >= 3:
            fence = ticks
        elif fence is not None and line.strip() == fence:
            fence = None
        elif fence is None:
            kept.append(line)
    assert fence is None
    return "\n".join(kept)


# --- doors ---


def test_the_command_makes_a_directory_and_refuses_one_that_is_there(golden, tmp_path, capsys):
    output = tmp_path / "deep" / "out"
    call_command("export_dataset", "golden-v2", "--format", "parquet", "--output", str(output), "--json")
    assert json.loads(capsys.readouterr().out)["rows"] == 100
    assert set(files(output)) == {"README.md", *map(path_of, ("train", "valid", "test"))}
    before = files(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        call_command("export_dataset", "golden-v2", "--format", "parquet", "--output", str(output))
    assert stopped.value.code == 1
    assert "is there already" in capsys.readouterr().err
    assert files(tmp_path) == before


def test_the_command_wants_to_be_told_where(golden):
    with pytest.raises(CommandError, match="--output") as error:
        call_command("export_dataset", "golden-v2", "--format", "parquet")
    assert error.value.returncode == 2


def test_the_zip_comes_over_http_and_from_the_page(golden, api, client_in, home):
    over_http = api.get("/api/datasets/golden-v2/export.zip")
    assert (over_http.status_code, over_http["Content-Type"]) == (200, "application/zip")
    content = b"".join(over_http.streaming_content)
    assert int(over_http["Content-Length"]) == len(content)
    page = client_in.get("/datasets/golden-v2/export/?format=parquet")
    assert page["Content-Disposition"] == 'attachment; filename="golden-v2.zip"'
    assert b"".join(page.streaming_content) == content
    part = client_in.get("/datasets/golden-v2/export/?format=parquet&split=test")
    assert part["Content-Disposition"] == 'attachment; filename="golden-v2.test.zip"'
    assert set(unpacked(io.BytesIO(b"".join(part.streaming_content)))) == {"README.md", path_of("test")}


@pytest.mark.parametrize(("query", "status"), [("split=dev", 422), ("format=trace", 422), ("split=", 422)])
def test_a_zip_that_cannot_be_is_refused(golden, api, query, status):
    assert api.get(f"/api/datasets/golden-v2/export.zip?{query}").status_code == status


def test_a_download_leaves_no_file_whether_it_is_read_or_not(golden, client_in, home):
    before = sorted(home.rglob("*"))
    response = client_in.get("/datasets/golden-v2/export/?format=parquet")
    assert sorted(home.rglob("*")) == before  # what is sent has no name
    held = next(iter(response._resource_closers)).__self__
    next(iter(response.streaming_content))
    response.close()  # as the server does when the reader goes away
    assert held.closed


def test_what_fails_leaves_no_directory_and_says_why(golden, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutOfSpace):
        services.export_parquet(golden, output=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_zip_is_not_begun_when_the_disk_is_nearly_full(golden, settings):
    settings.DISK_RESERVE_BYTES = 2**60
    with pytest.raises(OutOfSpace, match="nearly full"):
        services.export_zip(golden)


def test_what_cannot_be_exported_is_refused_first(golden, tmp_path):
    with pytest.raises(Invalid):
        services.export_parquet(golden, output=tmp_path / "out", split="dev")
    golden.rows_path.unlink()
    with pytest.raises(Unavailable):
        services.export_zip(golden)
    golden.status = "building"
    with pytest.raises(Conflict):
        services.export_parquet(golden, output=tmp_path / "out")
    assert not list(tmp_path.iterdir())
