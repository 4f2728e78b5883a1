"""Runs in the states that tests want. Only the child's work is left out: its files are written here instead."""

from collections.abc import Callable

from runs import verdicts
from runs.models import Run
from runs.services import launch_run
from training.canonical import canonical_json
from training.evalsets import read_evalset
from training.files import append_line, write_atomic, write_json_atomic
from training.judges import JUDGES, judge_output
from training.results import compare, delta_report, summarise
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


def completed(dataset, *, right: Callable[[int], bool] = lambda i: True, config=TINY, **launch) -> Run:
    """A run that was wrong on everything before training and is right after on the items whose index `right` takes."""
    run = end(launch_run(dataset_key=dataset.key, config=config, **launch))
    write_examination(run, before=lambda i: False, after=right)
    verdicts.store(run)
    return end(run)


def write_examination(run: Run, *, before: Callable[[int], bool], after: Callable[[int], bool], step: int = 4) -> None:
    """The files that an examination leaves."""
    items = read_evalset(run.evalset.path)
    recipe = run.config["data"]["recipe"]
    stages = [[_row(item, recipe, right(i)) for i, item in enumerate(items)] for right in (before, after)]
    for name, rows in zip(("before", "after"), stages, strict=True):
        write_atomic(run.directory / f"eval_{name}.jsonl", "".join(canonical_json(row) + "\n" for row in rows))
    earlier, later = map(summarise, stages)
    summary = {
        "run_id": str(run.pk),
        "checkpoint_step": step,
        "evalset": run.evalset.name,
        "evalset_sha256": run.evalset.sha256,
        "seed": run.seed,
        **later,
        "judges": {judge.name: judge.version for judge in JUDGES.values()},
        "generated_tokens": 9 * len(items),
        "wall_time_s": 1.5,
        "before": {name: earlier[name] for name in ("metrics", "intervals")},
        "comparison": compare(*stages).to_dict(),
    }
    write_atomic(run.directory / "delta_report.md", delta_report(*stages, title="test"))
    write_json_atomic(run.directory / "eval.json", summary)


def write_losses(run: Run, losses: list[float], *, elapsed_s: float = 2.0) -> None:
    """What training leaves of its losses, one line a step, and a log."""
    run.directory.mkdir(parents=True, exist_ok=True)
    for step, loss in enumerate(losses, start=1):
        line = {"step": step, "split": "train", "loss": loss, "learning_rate": 1e-3, "grad_norm": 1.0}
        line |= {"tokens": 100 * step, "tokens_per_second": 50.0, "elapsed_s": elapsed_s * step, "epoch": 0.1 * step}
        line |= {"peak_memory_bytes": 2**30}
        append_line(run.directory / "metrics.jsonl", canonical_json(line))
        append_line(run.directory / "train.log", f"2026-01-01T00:00:00Z step {step} loss {loss}")


def _row(item: dict, recipe: str, right: bool) -> dict:
    steps = "".join(f"{i}. {step['content']}\n" for i, step in enumerate(item["steps"], start=1))
    output = f"Reasoning:\n{steps}Answer: {item['expected_answer']}" if right else "Reasoning:\n1. a guess\nAnswer: no"
    question = {name: item[name] for name in ("id", "prompt", "expected_answer")}
    verdict = judge_output(item, output, recipe)
    return {**question, "output": output, **verdict, "output_tokens": 9, "finish_reason": "stop", "loss": 1.5 - right}
