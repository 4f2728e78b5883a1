import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from django.core.management import call_command
from django.db import close_old_connections

from datasets_app.services import seed_dataset
from runs import series, watching
from runs.models import Run
from runs.services import compare_runs, launch_run, plan_run
from training.config import named_config
from tunixrt import state
from tunixrt.lib.commands import Command as BaseCommand
from tunixrt.lib.errors import Unavailable
from tunixrt.people import first_admin
from tunixrt.processes import Fleet, workers_and_sweeper

DATASET, COUNT, SEED = "chain-demo", 2500, 1
ARMS = {"with steps": "trace_sft_v1", "answers only": "answer_only_v1"}
ADDRESS = "http://127.0.0.1:8000"


class Command(BaseCommand):
    help = (
        "The show-your-work experiment: one small model is taught the same problems twice, with the steps written "
        "out and from answers alone, through the real queue, and examined on problems it never saw."
    )

    def run(self, **options: Any) -> dict:
        call_command("migrate", verbosity=0)
        password = first_admin()
        dataset = seed_dataset(key=DATASET, count=COUNT, seed=SEED)
        self.say(f"{dataset.trace_count} problems of eight operations on one digit are frozen as {dataset.key}.")
        runs = [launch(name, recipe) for name, recipe in ARMS.items()]
        with workers() as fleet:
            self.watch(runs, fleet)
        failed = [f"{run.name}: {run.get_status_display()}: {run.error}" for run in runs if run.status != "completed"]
        if failed:
            raise Unavailable("\n".join(failed))
        return {"dataset": dataset.key, **compared(runs), "password": password}

    def watch(self, runs: list[Run], fleet: Fleet | None) -> None:
        """Shows both runs until both have ended."""
        shown = 0.0
        while any(run.is_open for run in runs):
            time.sleep(0.5)
            close_old_connections()
            for line in fleet.mend() if fleet else []:
                self.say(line)
            for run in runs:
                run.refresh_from_db()
            if self.stderr.isatty() or time.monotonic() - shown > 5:
                shown = time.monotonic()
                line = "  |  ".join(progress(run) for run in runs)
                self.stderr.write(
                    f"\r\033[K{line}" if self.stderr.isatty() else line, ending="" if self.stderr.isatty() else "\n"
                )
        self.say("")

    def say(self, line: str) -> None:
        """For the person who waits; standard output is for the result."""
        self.stderr.write(line)

    def show(self, result: dict) -> Iterable[str]:
        yield f"{'':14}   before    after   95 % interval    parameters  updates      tokens    time"
        for run in result["runs"]:
            yield (
                f"{run['name']:14}{run['before']:>9.1%}{run['after']:>9.1%}   {span(*run['interval']):<16}"
                f"{run['parameters']:>11,}{run['updates']:>9,}{run['tokens']:>12,}{run['seconds']:>6.0f} s"
            )
        steps, answers = result["runs"]
        yield f"Both were examined on the same {steps['items']} problems that neither had seen."
        yield f"Showing the work is worth {100 * (steps['after'] - answers['after']):+.1f} points here."
        yield from (f"{run['name']}, after against before: {run['decision']}." for run in result["runs"])
        yield f"With steps against answers only: {result['comparison']['decision']}. {result['comparison']['reason']}"
        yield ""
        yield f"See the curves, the verdicts and every answer step by step: `make up`, then {ADDRESS}"
        yield from (f"  {run['name']}: {ADDRESS}/runs/{run['id']}/" for run in result["runs"])
        yield f"  side by side: {ADDRESS}/runs/compare/?base={answers['id']}&other={steps['id']}"
        if result["password"]:
            yield f"Sign in as admin with this password, shown once: {result['password']}"


def span(low: float, high: float) -> str:
    return f"{100 * low:.1f}–{100 * high:.1f} %"


def launch(name: str, recipe: str) -> Run:
    """One arm: both are alike but for the recipe."""
    config = named_config("demo_chain")
    config = replace(config, data=replace(config.data, recipe=recipe))
    return launch_run(dataset_key=DATASET, config=config.to_dict(), seed=SEED, name=f"demo: {name}", by=None)


def workers() -> Fleet | nullcontext:
    """Workers and sweeper of our own, unless some are alive already."""
    if all(check.state == "ok" for check in state.beacons()):
        return nullcontext()
    return Fleet(workers_and_sweeper())


def progress(run: Run) -> str:
    """Where one run is, with its latest losses."""
    job = run.job
    newest = watching.figures(run.directory / series.METRICS).newest
    parts = [run.name.removeprefix("demo: "), run.get_status_display()]
    if job and job.total and run.is_open:
        parts.append(f"{job.done}/{job.total}")
    for split, word in (("train", "loss"), ("valid", "held out")):
        if (loss := newest.get(split, {}).get("loss")) is not None:
            parts.append(f"{word} {loss:.3f}")
    if job and job.eta_seconds is not None:
        parts.append(f"about {job.eta_seconds:.0f} s left")
    return " · ".join(parts)


def compared(runs: list[Run]) -> dict:
    """Both runs, and what the answers of the one with steps decide against those of the other."""
    steps, answers = runs
    found = compare_runs(base=answers, other=steps).decided.decision
    return {"runs": [report(run) for run in runs], "comparison": {"decision": str(found), "reason": found.reason}}


def report(run: Run) -> dict:
    metrics = run.metrics
    return {
        "id": str(run.pk),
        "name": run.name.removeprefix("demo: "),
        "before": metrics["answer_correctness_before"],
        "after": metrics["answer_correctness"],
        "interval": metrics["answer_correctness_interval"],
        "decision": metrics["decision"],
        "items": metrics["n_items"],
        "parameters": plan_run(dataset_key=run.dataset.key, config=run.config).parameters,
        "updates": metrics["total_steps"],
        "tokens": metrics["total_tokens"],
        "seconds": metrics["wall_time_s"],
    }
