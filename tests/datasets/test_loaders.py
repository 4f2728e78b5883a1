"""What the libraries that people train with make of our exports: Hugging Face's datasets, and TRL's trainers."""

import json
import os
import subprocess
import zipfile

import pytest

from datasets_app import services
from tests.datasets.test_parquet import front_matter, frozen_rows, hostile  # noqa: F401 (a fixture)
from tests.factories import make_trace, make_user
from tests.needs import PEERS_PYTHON, ROOT
from traces.services import review_step
from training.renderers import RECIPES, plain_prompt, plain_response, render

pytestmark = [pytest.mark.django_db, pytest.mark.peers, pytest.mark.slow]


@pytest.fixture
def peer(tmp_path):
    """Runs a script of `tests/peers/` and returns the JSON that it writes."""

    def run(script, *arguments):
        result = tmp_path / "result.json"
        environment = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
        command = [PEERS_PYTHON, ROOT / "tests" / "peers" / script, *arguments, result]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3_000:]
        return json.loads(result.read_text())

    return run


@pytest.fixture
def load(peer):
    return lambda source: peer("load_rows.py", source)


def write(dataset, format, path, split=None):
    path.write_bytes(b"".join(services.export_rows(dataset, format=format, split=split)))
    return path


def as_frozen(row, split):
    row = {**row, "split": split, "meta": row["meta"] and json.loads(row["meta"])}
    del row["messages"]
    return row


def test_load_dataset_opens_the_directory_with_every_row_in_its_split(load, tmp_path):
    dataset = services.seed_dataset(key="golden-v2")
    services.export_parquet(dataset, output=tmp_path / "golden")
    loaded = load(tmp_path / "golden")
    assert list(loaded["splits"]) == ["train", "valid", "test"]
    for split, rows in loaded["splits"].items():
        assert [as_frozen(row, split) for row in rows] == frozen_rows(dataset, split)
    card = front_matter((tmp_path / "golden" / "README.md").read_text())
    assert card["dataset_info"]["features"] == loaded["features"]


def test_load_dataset_opens_the_unpacked_zip_of_hostile_texts_and_splits_without_rows(load, hostile, tmp_path):  # noqa: F811
    with services.export_zip(hostile) as file, zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "out")
    loaded = load(tmp_path / "out")["splits"]
    assert set(loaded) == {split for split in ("train", "valid", "test") if hostile.splits[split]} != set()
    for split, rows in loaded.items():
        assert [as_frozen(row, split) for row in rows] == frozen_rows(hostile, split)


def test_a_dataset_of_one_row_is_opened_too(load, tmp_path):
    make_trace()
    dataset, _ = services.build_dataset(request={"dataset_name": "one", "dataset_version": "1"}, by=None)
    services.export_parquet(dataset, output=tmp_path / "out")
    assert [len(rows) for rows in load(tmp_path / "out")["splits"].values()] == [1]


def test_lines_are_read_as_they_were_written(load, tmp_path):
    dataset = services.seed_dataset(key="golden-v2")
    for format in ("messages", "prompt_completion", "training_example", "tunix_sft"):
        path = write(dataset, format, tmp_path / f"{format}.jsonl")
        rows = load(path)["splits"]["train"]
        for row, line in zip(rows, path.read_bytes().splitlines(), strict=True):
            assert {name: row[name] for name in row if name != "metadata"} == {
                name: value for name, value in json.loads(line).items() if name != "metadata"
            }


@pytest.fixture
def reviewed():
    traces = [make_trace(f"Count to {n}.", steps=["one", "two\nlines", "three"]) for n in range(5)]
    for number, trace in enumerate(traces[:4]):
        for step in range(3):
            review_step(trace=trace, step=step, rating=-1 if step == number else 1, by=make_user())
            if step == number:
                break
    return services.build_dataset(request={"dataset_name": "said", "dataset_version": "1"}, by=None)[0]


def test_trl_trains_a_model_that_judges_steps_on_the_stepwise_rows(peer, reviewed, tmp_path):
    path = write(reviewed, "stepwise", tmp_path / "stepwise.jsonl")
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert sorted(len(line["labels"]) for line in lines) == [1, 2, 3, 3]
    (seen,) = peer("train_on_rows.py", "stepwise", path)
    for row, line in zip(seen, lines, strict=True):
        assert row["taught"] == [int(label) for label in line["labels"]]
        assert row["text"] == "<bos>" + line["prompt"] + "".join(step + "\n" for step in line["completions"])


def test_trl_teaches_of_the_parquet_messages_the_very_turns_that_we_teach(peer, tmp_path):
    datasets = [golden(recipe) for recipe in RECIPES]
    for dataset in datasets:
        services.export_parquet(dataset, output=tmp_path / dataset.recipe, split="train")
    trained = peer("train_on_rows.py", "messages", *(tmp_path / dataset.recipe for dataset in datasets))
    for dataset, seen in zip(datasets, trained, strict=True):
        for row, frozen in zip(seen, frozen_rows(dataset, "train"), strict=True):
            assert row["text"] == render(frozen, dataset.recipe, dataset.instruction) + "\n"
            assert row["taught"] == plain_response(frozen, dataset.recipe) + "<end_of_turn>"


def test_trl_teaches_the_completion_of_a_prompt(peer, tmp_path):
    dataset = golden("trace_sft_v1")
    path = write(dataset, "prompt_completion", tmp_path / "train.jsonl", split="train")
    (seen,) = peer("train_on_rows.py", "prompt_completion", path)
    for row, frozen in zip(seen, frozen_rows(dataset, "train"), strict=True):
        assert row["taught"] == plain_response(frozen, dataset.recipe) + "<eos>"
        assert row["text"] == plain_prompt(frozen["prompt"], dataset.instruction) + row["taught"]


def golden(recipe):
    services.seed_dataset(key="golden-v1")
    request = {"dataset_name": recipe, "dataset_version": "1", "selection_strategy": "all", "recipe": recipe}
    return services.build_dataset(request=request, by=None)[0]
