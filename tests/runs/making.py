"""Runs in the states that tests want. Only the child's work is left out: its files are written here instead."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from runs import verdicts
from runs.models import Run
from runs.services import launch_run
from tests.examination import Right, answered, write_files
from training import timelapse
from training.canonical import canonical_json
from training.evalsets import read_evalset
from training.examinations import write_examined
from training.files import append_line, write_json_atomic
from training.ledger import LOOK, append_looks, write_rows
from training.record import write_record
from training.results import summarise
from tunixrt.jobs import work
from tunixrt.jobs.models import Job

TINY = {
    "model": {"size": "tiny"},
    "tokenizer": {"vocab_size": 300},
    "data": {"max_length": 128},
    "training": {"steps": 4, "batch_size": 2, "learning_rate": 1e-3},
    "eval": {"every": 2, "max_new_tokens": 16},
    "checkpoint": {"every": 2, "keep": 1},
}


def begin(run: Run) -> Job:
    """The run's present work, claimed as a worker claims it."""
    job = run.job
    assert job.claim()
    work.KINDS[job.kind].started(job)
    run.refresh_from_db()
    return job


def end(run: Run, status: str = Job.Status.DONE, error: str = "") -> Run:
    """Claims the run's present work and ends it."""
    work.finish(begin(run), status, error)
    run.refresh_from_db()
    return run


def completed(dataset, *, before: Right = lambda i: False, right: Right = lambda i: True, config=TINY, **launch) -> Run:
    """A run that is right after training on the items whose index `right` takes; before it was wrong on all of them,
    or right on those that `before` takes."""
    run = end(launch_run(dataset_key=dataset.key, config=config, **launch))
    write_run_record(run)
    write_examination(run, before=before, after=right)
    verdicts.store(run)
    return end(run)


def write_examination(run: Run, *, before: Right, after: Right, step: int = 4) -> None:
    """The files that an examination leaves."""
    about = {"run_id": str(run.pk), "seed": run.seed}
    about |= {"evalset": run.evalset.name, "evalset_sha256": run.evalset.sha256}
    items, recipe = read_evalset(run.evalset.path), run.config["data"]["recipe"]
    write_files(run.directory, items, recipe=recipe, before=before, after=after, step=step, **about)


def lapsed(dataset, rights: Mapping[int, Right], **launch) -> Run:
    """A completed run with a time-lapse: at each step it was right on the items whose index that step's Right takes."""
    config = TINY | {"eval": TINY["eval"] | {"checkpoints": True}}
    run = end(launch_run(dataset_key=dataset.key, config=config, **launch))
    write_run_record(run)
    write_time_lapse(run, rights)
    verdicts.store(run)
    return end(run)


def write_time_lapse(run: Run, rights: Mapping[int, Right]) -> None:
    """The files that an examination of each checkpoint leaves, the first and the last among them, with the last."""
    steps = sorted(rights)
    write_examination(run, before=rights[steps[0]], after=rights[steps[-1]], step=steps[-1])
    found = {}
    summary = json.loads((run.directory / "eval.json").read_bytes())
    for step in steps:
        rows = answered(read_evalset(run.evalset.path), run.config["data"]["recipe"], rights[step])
        about = {**summary, **summarise(rows), "checkpoint_step": step}
        found[step] = write_examined(run.directory, about, rows).exam
    write_json_atomic(run.directory / "eval.json", summary | timelapse.summary([found[step] for step in steps]))


def write_run_record(run: Run, **changes) -> None:
    """What training leaves of what it was given."""
    same = ("engine", "config", "config_sha256", "seed")
    record = {"format_version": 1, "run_id": str(run.pk), **{name: getattr(run, name) for name in same}}
    record |= {"dataset_key": run.dataset.key, "dataset_sha256": run.dataset.content_sha256, "weights": None}
    record |= {"code_version": "c" * 40, "libraries": {"jax": "1"}, "machine": {"cores": 2}, "microbatch": 2}
    write_record(run.directory, record | changes)


def write_losses(run: Run, losses: list[float], *, elapsed_s: float = 2.0) -> None:
    """What training leaves of its losses, one line a step, and a log."""
    run.directory.mkdir(parents=True, exist_ok=True)
    for step, loss in enumerate(losses, start=1):
        line = {"step": step, "split": "train", "loss": loss, "learning_rate": 1e-3, "grad_norm": 1.0}
        line |= {"tokens": 100 * step, "tokens_per_second": 50.0, "elapsed_s": elapsed_s * step, "epoch": 0.1 * step}
        line |= {"peak_memory_bytes": 2**30}
        append_line(run.directory / "metrics.jsonl", canonical_json(line))
        append_line(run.directory / "train.log", f"2026-01-01T00:00:00Z step {step} loss {loss}")


def write_ending(run: Run, *, step: int, params: str) -> None:
    """The hashes that training leaves of its first and its last parameters."""
    for at, hashed in ((0, "0" * 64), (step, params)):
        progress = run.directory / "checkpoints" / str(at) / "progress"
        progress.mkdir(parents=True, exist_ok=True)
        (progress / "metadata").write_text(json.dumps({"params_sha256": hashed}))


def write_ledger(run: Run, ids: Sequence[str], losses: Sequence[Sequence[float]]) -> None:
    """What training leaves of its rows: every row in every step, with the loss at losses[step - 1][row]."""
    write_rows(run.directory, ({"id": row_id} for row_id in ids))
    for step, by_row in enumerate(losses, start=1):
        looks = [(step, row, 7, loss) for row, loss in enumerate(by_row)]
        append_looks(run.directory, np.array(looks, LOOK))
