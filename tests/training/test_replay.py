"""Two runs held against each other: where they part, and which input is named for it."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import replay, train_jax
from training.canonical import canonical_json
from training.config import TrainConfig
from training.files import append_line
from training.inputs import NO_INPUT, differing_inputs, flat
from training.ledger import LEDGER, ROWS
from training.record import new_record, write_record
from training.replay import SAME, compare

CONFIG = TrainConfig.from_dict({"training": {"steps": 3}}).resolved(seed=5)
RECORD = new_record(CONFIG, run_id="r", dataset_key="sums-1", dataset_sha256="d" * 64, parent=None, microbatch=2) | {
    "code_version": "c" * 40,
    "tokens_sha256": "7" * 64,
    "device": {"platform": "cpu", "kind": "cpu", "count": 1},
    "weights": {"name": "w", "files": {"model.safetensors": "0" * 64}, "shape": None},
    "environment": {"XLA_FLAGS": ""},
}


def made(directory: Path, record: dict = RECORD, losses=(4.0, 2.0, 1.0), last: str = "b", **progress) -> Path:
    """What training leaves of a run."""
    write_record_of(directory, record)
    (directory / "metrics.jsonl").touch()
    for step, loss in enumerate(losses, start=1):
        line = {"step": step, "split": "train", "loss": loss, "elapsed_s": len(str(directory)) * step}
        append_line(directory / "metrics.jsonl", canonical_json(line))
    for step, params in ((0, "a" * 64), (len(losses), last * 64)):
        place = directory / "checkpoints" / str(step) / "progress"
        place.mkdir(parents=True, exist_ok=True)
        (place / "metadata").write_text(json.dumps({"params_sha256": params, **progress}))
    return directory


def write_record_of(directory: Path, record: dict) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    write_record(directory, record)


def changed(path: str, value: object, record: dict = RECORD) -> dict:
    """The record with another value at a dotted path. A name may hold dots itself, as that of a file does."""
    for name, inner in record.items():
        if name == path:
            return record | {name: value}
        if isinstance(inner, dict) and path.startswith(f"{name}."):
            return record | {name: changed(path.removeprefix(f"{name}."), value, inner)}
    return record | {path: value}


@pytest.fixture
def base(tmp_path):
    return made(tmp_path / "base")


def test_what_came_out_alike_is_the_same_whenever_and_under_whatever_id_it_ran(base, tmp_path):
    other = made(tmp_path / "the other", RECORD | {"run_id": "s", "parent": "r", "created_at": "later"})
    found = compare(base, other)
    assert (found.same, found.headline, found.sentences, found.first_step) == (True, SAME, [], None)
    assert [stage.name for stage in found.stages if stage.same] == [
        "dataset",
        "tokens",
        "initial parameters",
        "losses",
        "final parameters",
    ]


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        ("code_version", "0" * 40, "code (cccccccccccc and 000000000000)"),
        ("libraries", RECORD["libraries"] | {"jax": "0.1"}, f"library jax ({RECORD['libraries']['jax']} and 0.1)"),
        ("dataset_sha256", "e" * 64, "dataset (dddddddddddd and eeeeeeeeeeee)"),
        ("config.training.learning_rate", 0.5, "config field training.learning_rate (0.001 and 0.5)"),
        ("config.mesh.fsdp", 2, "config field mesh.fsdp (1 and 2)"),
        ("seed", 6, "seed (5 and 6)"),
        ("microbatch", 4, "microbatch (2 and 4)"),
        ("machine.cores", 64, f"thread count ({RECORD['machine']['cores']} and 64)"),
        ("machine.cpu", "abacus", f"machine cpu ({RECORD['machine']['cpu']} and abacus)"),
        ("environment.XLA_FLAGS", "--fast", "environment XLA_FLAGS ( and --fast)"),
    ],
)
def test_a_mismatch_names_its_first_step_and_the_input_that_was_flipped(base, tmp_path, path, value, name):
    other = made(tmp_path / "other", changed(path, value), losses=(4.0, 2.5, 1.5), last="c")
    found = compare(base, other)
    first = "The first difference is at step 2 (train): loss is 2.0 and 2.5."
    assert (found.same, found.first_step) == (False, 2)
    assert found.headline == f"{first} The first input that differs: {name}."
    assert "The final parameters differ: bbbbbbbbbbbb and cccccccccccc." in found.sentences
    assert [str(difference) for difference in found.inputs] == [name]


def test_a_seed_is_named_once_and_not_as_the_field_of_the_config_that_repeats_it(base, tmp_path):
    reseeded = CONFIG.resolved(seed=6)
    record = RECORD | {"seed": 6, "config": reseeded.to_dict(), "config_sha256": reseeded.sha256()}
    found = differing_inputs(base, made(tmp_path / "other", record))
    assert [difference.name for difference in found] == ["seed"]


def test_causes_come_before_what_may_follow_from_them(base, tmp_path):
    record = changed("machine.cores", 64, changed("seed", 6, changed("code_version", "new")))
    record = record | {"libraries": RECORD["libraries"] | {"numpy": "0"}, "dataset_sha256": "e" * 64, "later": 1}
    made(tmp_path / "other", record)
    write_record(base, RECORD | {"later": 2})
    names = [difference.name for difference in differing_inputs(base, tmp_path / "other")]
    assert names == ["code", "library numpy", "dataset", "seed", "thread count", "later"]


def test_the_first_row_that_differs_is_named_where_both_kept_their_rows(base, tmp_path):
    other = made(tmp_path / "other", changed("dataset_sha256", "e" * 64))
    for directory, hashes in ((base, "abcd"), (other, "abef")):
        (directory / LEDGER).mkdir()
        lines = ({"id": f"row{i}", "sha256": letter * 64} for i, letter in enumerate(hashes))
        (directory / LEDGER / ROWS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = compare(base, other)
    assert found.headline == (
        "The bytes of the dataset differ: dddddddddddd and eeeeeeeeeeee. "
        "The first input that differs: dataset row 'row2' (cccccccccccc and eeeeeeeeeeee)."
    )
    shutil.rmtree(other / LEDGER)
    assert [difference.name for difference in differing_inputs(base, other)] == ["dataset"]


def test_a_mismatch_is_located_at_the_first_stage_that_differs(base, tmp_path):
    other = made(tmp_path / "other", RECORD | {"tokens_sha256": "8" * 64})
    assert [stage.same for stage in compare(base, other).stages] == [True, False, True, True, True]
    (other / "checkpoints/0/progress/metadata").write_text(json.dumps({"params_sha256": "9" * 64}))
    found = compare(base, other)
    assert found.headline == (
        "The tokens that were taught differ: 777777777777 and 888888888888. No input on record differs."
    )
    assert found.sentences[1] == "The initial parameters differ: aaaaaaaaaaaa and 999999999999."


def test_the_same_out_of_other_circumstances_is_the_same_and_says_so(base, tmp_path):
    found = compare(base, made(tmp_path / "other", changed("machine.cores", 64)))
    assert found.same
    assert found.headline.startswith(f"{SAME} Even so an input differs: thread count")


def test_the_same_out_of_another_run_is_no_replay(base, tmp_path):
    found = compare(base, made(tmp_path / "other", changed("config.eval.max_new_tokens", 7)))
    assert not found.same
    assert found.headline.startswith("All that came out is the same. The first input that differs: config field eval.")


def test_a_loss_too_few_is_a_difference(base, tmp_path):
    other = made(tmp_path / "other", losses=(4.0, 2.0))
    found = compare(base, other)
    assert found.sentences == ["One has more losses than the other, from step 3 on."]
    assert (found.same, found.first_step) == (False, 3)


def test_parameters_without_their_hash_cannot_be_called_the_same(base, tmp_path):
    other = made(tmp_path / "other")
    shutil.rmtree(other / "checkpoints")
    found = compare(base, other)
    assert not found.same
    assert found.headline.startswith("The final parameters cannot be compared")


def test_of_runs_that_the_clock_ended_what_both_did_is_compared(tmp_path):
    clock = "The clock (training.max_seconds) decided where they end: after step 3 and 4."
    base = made(tmp_path / "base", ended="time")
    longer = made(tmp_path / "longer", losses=(4.0, 2.0, 1.0, 0.5), last="c", ended="time")
    other = made(tmp_path / "other", losses=(4.0, 2.5, 1.0, 0.5), last="c")
    assert compare(base, longer).sentences == [f"{clock} What both did is the same."]
    first = "The first difference is at step 2 (train): loss is 2.0 and 2.5."
    assert compare(base, other).sentences == [first, clock]


def test_a_record_of_an_older_program_is_not_blamed_for_what_it_does_not_know(base, tmp_path):
    older = {name: value for name, value in RECORD.items() if name not in ("device", "environment", "tokens_sha256")}
    sections = {name: dict(fields) for name, fields in RECORD["config"].items() if name != "mesh"}
    del sections["training"]["patience"], sections["eval"]["top_k"], sections["model"]["lora"]
    older |= {"machine": {"cores": RECORD["machine"]["cores"]}, "config": sections, "config_sha256": "0" * 64}
    assert compare(base, made(tmp_path / "other", older)).same


def test_an_attempt_that_goes_on_otherwise_is_told_once_recorded_and_named_by_a_comparison(base, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(train_jax, "emit", lambda event, message: told.append((event, message)))
    first = RECORD | {"libraries": RECORD["libraries"] | {"jax": "0.1"}, "machine": RECORD["machine"] | {"cores": 4}}
    later = RECORD | {"libraries": RECORD["libraries"] | {"jax": "0.2"}, "machine": RECORD["machine"] | {"cores": 2}}
    later |= {"microbatch": None, "created_at": "2026-11-21T12:00:00Z"}  # chosen once, and then kept
    assert train_jax._with_attempt(first, first) == first
    record = train_jax._with_attempt(first, later)
    assert train_jax._with_attempt(record, later) == record
    another = "library jax (0.1 and 0.2), another thread count (4 and 2)"
    assert told == [("notice", f"an attempt goes on with another {another}: its bits may differ")]
    assert record["attempts"] == [
        {"began_at": "2026-11-21T12:00:00Z", "inputs": {"libraries.jax": "0.2", "machine.cores": 2}}
    ]
    write_record(base, first)
    found = differing_inputs(base, made(tmp_path / "other", record))
    assert [str(difference) for difference in found] == [
        "library jax (0.1 and 0.1, since 2026-11-21T12:00:00Z 0.2)",
        "thread count (4 and 4, since 2026-11-21T12:00:00Z 2)",
    ]


FIELDS = [path for path in flat(RECORD) if path.partition(".")[0] not in NO_INPUT]


@given(path=st.sampled_from(FIELDS), swapped=st.booleans())
def test_whichever_field_of_a_record_is_flipped_it_is_named(tmp_path_factory, path, swapped):
    place = tmp_path_factory.mktemp("flip")
    for directory, record in ((place / "base", RECORD), (place / "other", changed(path, "flipped"))):
        write_record_of(directory, record)
    pair = (place / "other", place / "base") if swapped else (place / "base", place / "other")
    (found,) = differing_inputs(*pair)
    assert "flipped" in (found.base, found.other)
    assert path.partition(".")[2] in found.name or path == "machine.cores"


def test_the_command_line_says_the_same_and_exits_3_when_they_differ(base, tmp_path, capsys):
    assert replay.main([str(base), str(made(tmp_path / "same"))]) == 0
    assert capsys.readouterr().out == f"{SAME}\n"
    other = made(tmp_path / "other", changed("seed", 6), losses=(4.0, 2.5), last="c")
    assert replay.main([str(base), str(other)]) == 3
    assert capsys.readouterr().out.splitlines()[0].endswith("The first input that differs: seed (5 and 6).")
    assert replay.main([str(base), str(other), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert (found["same"], found["first_step"], found["inputs"][0]["name"]) == (False, 2, "seed")
    assert replay.main([str(base), str(tmp_path)]) == 1
    assert "holds no run" in capsys.readouterr().err
