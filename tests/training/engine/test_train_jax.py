"""The command lines on real processes: killed, stopped, damaged, misused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training import lifeline
from training.canonical import canonical_json, sha256_hex
from training.dataset_file import read_dataset
from training.engine import checkpoint
from training.engine.evaluate import load_model
from training.evalsets import item_from_row, write_evalset
from training.files import file_sha256
from training.ledger import LEDGER, LOOK, LOSSES, ROWS
from training.lifeline import run_lock
from training.problems import generate_traces
from training.replay import compare
from training.splits import group_of, split_of

ROOT = Path(__file__).parents[3]
MEASURED = ("tokens_per_second", "elapsed_s", "peak_memory_bytes")  # of a line, what differs from run to run
CONFIG = """
model: {family: gemma3, size: tiny}
tokenizer: {vocab_size: 300}
data: {max_length: 96}
training: {steps: 8, batch_size: 2, learning_rate: 1e-3, warmup: 2}
eval: {every: 3, max_new_tokens: 8, samples: 0}
checkpoint: {every: 2, keep: 2}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A directory with a config and a dataset; its home keeps what was compiled."""
    place = tmp_path_factory.mktemp("train")
    (place / "config.yaml").write_text(CONFIG)
    traces = generate_traces("chain", count=60, seed=1, difficulty=2)
    rows = [{**trace, "id": f"row{i}", "split": split_of(group_of(trace))} for i, trace in enumerate(traces)]
    (place / "data.jsonl").write_text("".join(canonical_json(row) + "\n" for row in rows))
    return place


@pytest.fixture(scope="module")
def uninterrupted(place) -> Path:
    return done(place, place / "uninterrupted")


def start(place: Path, output: Path, *more: str, module: str = "train_jax", **environment: str) -> subprocess.Popen:
    arguments = ["--config", place / "config.yaml", "--data", place / "data.jsonl", "--output", output, "--seed", "3"]
    return subprocess.Popen(
        [sys.executable, "-m", f"training.{module}", *(arguments if module == "train_jax" else []), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TUNIXRT_HOME": str(place / "home")} | environment,
    )


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def done(place: Path, output: Path, *more: str) -> Path:
    code, _, err = ended(start(place, output, *more))
    assert code == 0, err
    return output


def curve(run: Path) -> list[tuple]:
    """What must not depend on interruptions: every line without its times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [tuple(value for name, value in line.items() if name not in MEASURED) for line in lines]


def final_parameters(run: Path) -> str:
    return checkpoint.params_sha256(load_model(run / "checkpoints").params)


def kill_after(process: subprocess.Popen, line_start: str, signal_number: int) -> None:
    for line in process.stdout:
        if line.startswith(line_start):
            process.send_signal(signal_number)
            break


def test_a_run_writes_its_files(uninterrupted):
    record = json.loads((uninterrupted / "run.json").read_text())
    assert (record["seed"], record["recipe"], record["dataset_key"]) == (3, "trace_sft_v1", None)
    assert record["microbatch"] == 2
    assert {path.name for path in (uninterrupted / "checkpoints").iterdir()} == {"0", "6", "8"}
    steps = [(line[0], line[1]) for line in curve(uninterrupted)]
    trained = [(step, "train") for step in range(1, 9)]
    looked = [(step, "valid") for step in (2, 3, 4, 6, 8)]  # in its turn, and at checkpoints: one may be the best
    assert steps == sorted([*trained, *looked])
    assert (uninterrupted / "tokenizer.json").exists()
    assert "step 8/8" in (uninterrupted / "train.log").read_text()


@pytest.mark.parametrize("moment", ["phase · message compiling", "checkpoint · step 2", "checkpoint · step 6"])
def test_a_killed_run_goes_on_to_the_same_bits(place, uninterrupted, tmp_path, moment):
    process = start(place, tmp_path / "run")
    kill_after(process, moment, signal.SIGKILL)
    assert ended(process)[0] == -signal.SIGKILL
    run = done(place, tmp_path / "run", "--resume")
    assert curve(run) == curve(uninterrupted)
    assert final_parameters(run) == final_parameters(uninterrupted)


def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_gives_the_same_bits(place, uninterrupted, tmp_path):
    process = start(place, tmp_path / "run")
    kill_after(process, "checkpoint · step 4", signal.SIGKILL)
    ended(process)
    newest = checkpoint.latest_sealed(tmp_path / "run" / "checkpoints")
    array = max((file for file in newest.rglob("*") if file.is_file()), key=lambda file: file.stat().st_size)
    array.write_bytes(array.read_bytes()[:-1])
    run = done(place, tmp_path / "run", "--resume")
    assert curve(run) == curve(uninterrupted)
    assert (run / "checkpoints" / f"bad-{newest.name}").exists()
    assert f"warning: checkpoint {newest.name} is damaged" in (run / "train.log").read_text()


OLD_FIELDS = {  # of a config in the first runs' run.json
    "model": ("family", "size"),
    "tokenizer": ("vocab_size",),
    "data": ("recipe", "system_instruction", "max_length", "packing", "overlong"),
    "training": (
        "steps",
        "epochs",
        "batch_size",
        "learning_rate",
        "schedule",
        "warmup",
        "weight_decay",
        "grad_clip",
        "seed",
        "log_every",
    ),
    "eval": ("evalset", "every", "max_new_tokens", "samples"),
    "checkpoint": ("every", "keep"),
}


def test_a_run_that_an_older_program_began_goes_on_and_can_be_asked(place, uninterrupted, tmp_path):
    run = shutil.copytree(uninterrupted, tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    config = {part: {name: record["config"][part][name] for name in names} for part, names in OLD_FIELDS.items()}
    record |= {"config": config, "config_sha256": sha256_hex(canonical_json(config))}
    (run / "run.json").write_text(json.dumps(record))
    shutil.rmtree(run / "checkpoints" / "8")
    progress = run / "checkpoints" / "6" / "progress" / "metadata"
    known = json.loads(progress.read_text())
    progress.write_text(json.dumps({name: known[name] for name in ("tokens", "elapsed", "position", "params_sha256")}))
    checkpoint._seal(run / "checkpoints" / "6")
    done(place, run, "--resume")
    assert curve(run) == curve(uninterrupted)
    assert final_parameters(run) == final_parameters(uninterrupted)
    assert json.loads((run / "run.json").read_text()) == record


def test_sigterm_seals_a_checkpoint_and_asks_for_another_attempt(place, uninterrupted, tmp_path):
    process = start(place, tmp_path / "run")
    kill_after(process, "phase · message compiling", signal.SIGTERM)
    code, _, err = ended(process)
    assert code == lifeline.TRANSIENT
    assert "its checkpoint is sealed" in err
    assert curve(done(place, tmp_path / "run", "--resume")) == curve(uninterrupted)


def test_a_supervisor_hears_events_and_the_run_dies_with_it(place, tmp_path):
    process = start(place, tmp_path / "run", TUNIXRT_SUPERVISED="1")
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "progress":
            process.stdin.close()
            break
    assert process.wait(60) == lifeline.TRANSIENT
    assert (events[0]["event"], events[0]["updates"]) == ("plan", 8)
    assert events[0]["peak_memory_bytes"] == json.loads((tmp_path / "run" / "plan.json").read_text())["memory_bytes"]
    assert events[1] == {"event": "phase", "message": "compiling"}
    progress = events[-1]
    assert {"done", "total", "message", "loss", "valid_loss", "tokens_per_second"} < set(progress)
    assert (progress["total"], progress["message"]) == (8, "training")


def test_a_loss_that_is_no_number_ends_the_run_for_good(place, tmp_path):
    wild = CONFIG.replace("1e-3", "1.0").replace("warmup: 2", "warmup: 0, grad_clip: 1e6, weight_decay: 10.0")
    (tmp_path / "wild.yaml").write_text(wild.replace("steps: 8", "steps: 400"))
    code, _, err = ended(start(place, tmp_path / "run", "--config", str(tmp_path / "wild.yaml")))
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert code == lifeline.NONFINITE
    assert "a lower learning rate may help" in err
    assert last["nonfinite"] in ("nan", "inf")


def test_the_examination_afterwards_is_the_one_the_command_line_makes(place, uninterrupted, tmp_path):
    run = done(place, tmp_path / "run", "--eval_after_train")
    assert {"eval_before.jsonl", "eval_after.jsonl", "eval.json", "delta_report.md"} <= set(os.listdir(run))
    assert "step 8 against step 0" in (run / "delta_report.md").read_text()
    summary = json.loads((run / "eval.json").read_text())
    assert summary["checkpoint_step"] == 8
    assert summary["n_items"] == summary["n_scored"] > 0
    assert {"answer_correctness", "format_valid", "mean_steps", "loss", "perplexity"} <= set(summary["metrics"])
    assert set(summary["before"]) == {"metrics", "intervals"}
    assert summary["comparison"]["won"] >= 0

    items = [item_from_row(row) for row in read_dataset(place / "data.jsonl") if row["split"] == "test"]
    write_evalset(tmp_path / "items.jsonl", items)
    asked = ["--checkpoint", str(run / "checkpoints"), "--evalset", str(tmp_path / "items.jsonl")]
    code, _, err = ended(start(place, run, *asked, "--output", str(tmp_path / "rows.jsonl"), module="eval_generate"))
    assert code == 0, err
    assert (tmp_path / "rows.jsonl").read_bytes() == (run / "eval_after.jsonl").read_bytes()

    first = (run / "eval.json").read_bytes()
    again = ["--run", str(run), "--evalset", str(tmp_path / "items.jsonl")]
    assert ended(start(place, run, *again, module="eval_run"))[0] == 0
    unalike = {"evalset", "wall_time_s"}
    same = [
        {k: v for k, v in json.loads(data).items() if k not in unalike}
        for data in (first, (run / "eval.json").read_bytes())
    ]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Exactly one of --dataset or --data must be provided"),
        (["--data", "x", "--dataset", "y"], 2, "Exactly one of --dataset or --data must be provided"),
        (["--dataset", "no-1"], 64, "there is no dataset 'no-1'"),
        (["--dataset", "../../etc"], 64, "there is no dataset"),
        (["--data", "nowhere.jsonl"], 64, "nowhere.jsonl: No such file"),
        (["--data", "x", "--seed", "-1"], 2, "must lie between 0 and"),
        (["--data", "x", "--device", "abacus"], 2, "invalid choice"),
        (["--data", "x", "--evalset", "y"], 2, "give --eval_after_train too"),
        (
            ["--replay", "x"],
            2,
            "--replay takes everything from run.json; leave out --config, --dataset,",
        ),
    ],
)
def test_wrong_use_is_told_in_a_sentence_and_writes_nothing(place, tmp_path, arguments, code, message):
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "training.train_jax",
            "--config",
            place / "config.yaml",
            "--output",
            tmp_path / "run",
            *arguments,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TUNIXRT_HOME": str(place / "home")},
    )
    assert process.returncode == code
    assert message in process.stderr
    assert "Traceback" not in process.stderr
    assert not (tmp_path / "run").exists()


def freeze(place: Path, key: str, **manifest: str) -> Path:
    """A frozen dataset of the same rows."""
    directory = place / "home" / "datasets" / key
    directory.mkdir(parents=True)
    shutil.copy(place / "data.jsonl", directory / "dataset.jsonl")
    manifest = {"content_sha256": file_sha256(place / "data.jsonl")} | manifest
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


def train_dataset(place: Path, key: str, output: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "training.train_jax", "--config", place / "config.yaml", "--dataset", key]
    environment = os.environ | {"TUNIXRT_HOME": str(place / "home")}
    return subprocess.run([*command, "--output", output], capture_output=True, text=True, cwd=ROOT, env=environment)


def test_a_dataset_brings_its_recipe_and_instruction(place, tmp_path):
    freeze(place, "told-1", recipe="answer_only_v1", instruction="Be brief")
    assert train_dataset(place, "told-1", tmp_path / "run").returncode == 0
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert (record["recipe"], record["instruction"], record["dataset_key"]) == ("answer_only_v1", "Be brief", "told-1")
    assert record["config"]["data"]["recipe"] == "answer_only_v1"
    assert isinstance(record["seed"], int)


def test_a_dataset_that_changed_since_it_was_frozen_is_refused(place, tmp_path):
    with (freeze(place, "changed-1") / "dataset.jsonl").open("a") as file:
        file.write("\n")
    process = train_dataset(place, "changed-1", tmp_path / "run")
    assert (process.returncode, "is not the file that was frozen" in process.stderr) == (lifeline.BAD_CONFIG, True)
    assert not (tmp_path / "run").exists()


def test_a_wrong_config_is_told_with_its_place_and_writes_nothing(place, tmp_path):
    (tmp_path / "wrong.yaml").write_text("training:\n  steps: 0\n  speed: 9\n")
    code, _, err = ended(start(place, tmp_path / "run", "--config", str(tmp_path / "wrong.yaml")))
    assert code == lifeline.BAD_CONFIG
    assert "line 2, training.steps" in err
    assert "line 3, training.speed" in err
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_not_overwritten_and_not_continued_with_something_else(place, uninterrupted, tmp_path):
    before = (uninterrupted / "metrics.jsonl").read_bytes()
    code, _, err = ended(start(place, uninterrupted))
    assert (code, "holds a run already" in err) == (lifeline.BAD_CONFIG, True)
    (tmp_path / "other.yaml").write_text(CONFIG.replace("1e-3", "2e-3"))
    code, _, err = ended(start(place, uninterrupted, "--resume", "--config", str(tmp_path / "other.yaml")))
    assert (code, "the config changed since this run began" in err) == (lifeline.BAD_CONFIG, True)
    code, _, err = ended(start(place, uninterrupted, "--resume", "--microbatch", "4"))
    assert (code, "the microbatch changed since this run began" in err) == (lifeline.BAD_CONFIG, True)
    assert (uninterrupted / "metrics.jsonl").read_bytes() == before


def test_one_changed_byte_of_one_answer_is_named_by_its_row_and_stops_a_replay(place, uninterrupted, tmp_path):
    lines = (place / "data.jsonl").read_text().splitlines(keepends=True)
    looked_at = np.fromfile(uninterrupted / LEDGER / LOSSES, LOOK)["row"][0]  # by the first update
    name = json.loads((uninterrupted / LEDGER / ROWS).read_text().splitlines()[looked_at])["id"]
    number, row = next((n, row) for n, row in enumerate(map(json.loads, lines)) if row["id"] == name)
    lines[number] = canonical_json(row | {"final_answer": str((int(row["final_answer"]) + 1) % 10)}) + "\n"
    (tmp_path / "data.jsonl").write_text("".join(lines))
    other = done(place, tmp_path / "other", "--data", str(tmp_path / "data.jsonl"))
    found = compare(uninterrupted, other)
    parted = [stage.name for stage in found.stages if stage.same is False]
    assert (found.first_step, parted) == (1, ["dataset", "tokens", "losses", "final parameters"])
    assert f"dataset row '{name}'" in [difference.name for difference in found.inputs]

    moved = shutil.copytree(uninterrupted, tmp_path / "moved")
    record = json.loads((moved / "run.json").read_text()) | {"data": str(tmp_path / "data.jsonl")}
    (moved / "run.json").write_text(json.dumps(record))
    code, _, err = ended(again(place, moved, tmp_path / "again"))
    assert (code, f"the first row that differs: '{name}'" in err) == (lifeline.BAD_CONFIG, True)


def test_a_replay_needs_nothing_but_the_record_and_is_the_same(place, uninterrupted, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(uninterrupted / "run.json", alone)
    code, _, err = ended(again(place, alone, tmp_path / "again"))
    assert code == 0, err
    found = compare(uninterrupted, tmp_path / "again")
    assert (found.same, found.inputs) == (True, ())
    # Nobody installs another jax for a test: the record of a copy says that one was there.
    record = json.loads((tmp_path / "again" / "run.json").read_text())
    assert record["parent"] == json.loads((alone / "run.json").read_text())["run_id"]
    record["libraries"]["jaxlib"] = "0.0.1"
    (tmp_path / "again" / "run.json").write_text(json.dumps(record))
    found = compare(uninterrupted, tmp_path / "again")
    assert found.same
    assert "Even so an input differs: library jaxlib" in found.headline


def again(place: Path, run: Path, output: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "training.train_jax", "--replay", run, "--output", output],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TUNIXRT_HOME": str(place / "home")},
    )


def test_a_directory_somebody_works_in_is_left_alone(place, tmp_path):
    with run_lock(tmp_path / "run"):
        code, _, err = ended(start(place, tmp_path / "run"))
    assert code == lifeline.LOCKED
    assert "another process is working" in err
    assert list((tmp_path / "run").iterdir()) == []


def test_a_device_that_is_not_there_is_told(place, tmp_path):
    code, _, err = ended(start(place, tmp_path / "run", "--device", "tpu"))
    assert (code, "there is no tpu" in err) == (lifeline.BAD_CONFIG, True)
    assert not (tmp_path / "run").exists()
