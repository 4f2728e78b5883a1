"""What the pages of a run draw, put together from its rows and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.conf import settings

from datasets_app.models import Dataset
from runs import deciding, noise, reading, series, services, verdicts, watching
from runs.models import Checkpoint, Evaluation, Prediction, Run, RunTag
from runs.pipeline import TrainRun
from training import results
from training.record import CHECKPOINTS
from training.statistics import NoiseFloor
from tunixrt.jobs.models import Beacon, Job
from tunixrt.jobs.work import UNREACHABLE
from tunixrt.lib.ids import read_uuid
from tunixrt.lib.plots import LineChart, Series, line_chart

SMOOTHINGS = (0.0, 0.6, 0.9)
DEFAULT_SMOOTHING = 0.6
MOST_CHOICES = 500  # in a select
MOST = 10.0  # seconds between two polls of a page on which nothing changes
SILENT_AFTER = 1.5  # heartbeats: the page tells of silence before two are missed
LOG_BYTES, SEARCHED_BYTES = 24 * 2**10, 16 * 2**20  # of the log's end
SAMPLES_BYTES, SAMPLED_STEPS = 2**20, 20  # of the file's end; checkpoints shown
FOUND_LINES, MAX_SEARCH = 200, 200  # lines shown of those found; characters searched for


@dataclass(frozen=True)
class Live:
    """The figures of an open run as its files tell them."""

    step: int | None = None
    loss: float | None = None
    valid_loss: float | None = None
    tokens_per_second: float | None = None
    elapsed_s: float | None = None
    tokens: int | None = None
    peak_memory_bytes: int | None = None
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True)
class Signs:
    """How the work for an open run stands with those who do it."""

    place: int | None = None  # in the queue, from 1, while it waits
    answers: bool = True  # whether the queue did when it was asked last
    workers: bool = True  # whether one is alive that could take it
    silence: int | None = None  # seconds, in whole heartbeats, without the sign of life that is due
    lease: int | None = None  # seconds of silence after which it is taken back


class Sampled(NamedTuple):
    """The answers at one checkpoint, rows of samples.jsonl, and how many are right."""

    step: int
    answers: list[dict[str, Any]]
    right: int


@dataclass(frozen=True)
class Log:
    lines: list[str]
    search: str = ""
    found: int = 0  # lines that hold what was searched for; `lines` are the last of them

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class Budget(NamedTuple):
    """One of the things that training takes."""

    name: str
    planned: float | None
    taken: float | None
    unit: str  # bytes, count or duration

    @property
    def share(self) -> float | None:
        """What was taken of what was planned."""
        return self.taken / self.planned if self.planned and self.taken is not None else None


class Redrawing(NamedTuple):
    """Another way to draw the curve, or the present one, and the query that asks for it."""

    words: str
    query: str
    chosen: bool = False


@dataclass(frozen=True)
class Curve:
    chart: LineChart | None
    smooth: float
    log: bool
    search: str = ""  # of the log beside it, which stays as it is

    @property
    def asked(self) -> dict[str, str]:
        return {"smooth": f"{self.smooth:g}", "log": str(int(self.log))}

    @property
    def smoothings(self) -> list[Redrawing]:
        return [
            Redrawing(f"{weight:g}" if weight else "none", self._query(smooth=f"{weight:g}"), weight == self.smooth)
            for weight in SMOOTHINGS
        ]

    @property
    def scale(self) -> Redrawing:
        return Redrawing("linear scale" if self.log else "logarithmic scale", self._query(log=str(int(not self.log))))

    @property
    def unsearched(self) -> str:
        return "?" + urlencode(self.asked)

    def _query(self, **changes: str) -> str:
        searched = {"search": self.search} if self.search else {}
        return "?" + urlencode(self.asked | searched | changes)


@dataclass(frozen=True)
class Verdict:
    """A run's examinations before and after, in one sentence and in figures, and what they decide."""

    sentence: str
    found: verdicts.BeforeAfter
    noise: NoiseFloor | None  # of runs like this one

    @property
    def stages(self) -> list[Evaluation]:
        return [self.found.before, self.found.after]

    @property
    def is_within_noise(self) -> bool:
        """Whether another seed could take away what was gained."""
        gain = self.found.decided.decision.evidence.difference
        return self.noise is not None and 0 < gain <= self.noise.limit

    @property
    def drawn(self) -> dict[str, Any]:
        return deciding.drawn(self.found.decided)


@dataclass(frozen=True)
class Action:
    """Something that can be done with a run as it stands: the URL's name, the button's words, what it does."""

    url: str
    label: str
    help: str
    style: str = "second"
    asks: bool = False  # leads to a page that asks first


@dataclass(frozen=True)
class Actions:
    """What is done often, and what puts a run out of the way."""

    first: list[Action]
    away: list[Action]


DELETION = Action("run_delete", "Delete…", "Removes it with its files and answers.", asks=True)


def shown(run: Run, job: Job | None, query: Mapping[str, str]) -> dict[str, Any]:
    """What the page of a run shows that changes while the run is open."""
    figures = live(run)
    return {
        "run": run,
        "job": job,
        "live": figures,
        "signs": signs(run, job),
        "budget": budget(run, figures),
        "curve": curve([run], query),
        "samples": samples(run),
        "log": log(run, query),
    }


def shown_tag(run: Run, job: Job | None, query: Mapping[str, str]) -> str:
    """The ETag of what `shown` answers, from facts that cost little."""
    names = ("pk", "status", "percent", "message", "attempt", "worker", "cancel_requested")
    work = job and [getattr(job, name) for name in names]
    asked = [query.get(name) for name in ("smooth", "log", "search")]
    row = (run.status, run.attempt, run.error, run.metrics)
    files = [run.directory / name for name in (series.METRICS, series.LOG, series.SAMPLES, CHECKPOINTS)]
    return watching.tag(row, work, signs(run, job), asked, files=files)


def signs(run: Run, job: Job | None) -> Signs:
    if not run.is_open or job is None:
        return Signs()
    if job.status == Job.Status.QUEUED:
        answers = job.message != UNREACHABLE
        return Signs(place=run.queue_position, answers=answers, workers=worker_is_alive())
    quiet, heartbeat = job.silence_seconds or 0.0, settings.RUN_HEARTBEAT_SECONDS
    if quiet <= SILENT_AFTER * heartbeat:
        return Signs()
    return Signs(silence=int(quiet // heartbeat * heartbeat), lease=settings.RUN_LEASE_SECONDS)


def pause(job: Job | None, least: float) -> tuple[float, float]:
    """The fewest and the most seconds until a page should ask again: at the latest when silence would be told of."""
    quiet = job and job.silence_seconds
    most = MOST if quiet is None else SILENT_AFTER * settings.RUN_HEARTBEAT_SECONDS - quiet
    return least, max(least, min(MOST, most if most > 0 else MOST))


def live(run: Run) -> Live:
    figures = watching.figures(run.directory / series.METRICS)
    last, valid = figures.newest.get("train"), figures.newest.get("valid")
    if last is None:
        return Live()
    return Live(
        step=last["step"],
        loss=last["loss"],
        valid_loss=valid["loss"] if valid else None,
        tokens_per_second=last["tokens_per_second"],
        elapsed_s=last["elapsed_s"],
        tokens=last["tokens"],
        peak_memory_bytes=figures.peak_memory,
        checkpoint=run.newest_checkpoint,
    )


def curve(runs: Sequence[Run], query: Mapping[str, str]) -> Curve:
    """Losses by step, of one run or of several over each other. `smooth` and `log` come from the query."""
    smooth = _smoothing(query.get("smooth", ""))
    log = query.get("log") == "1"
    lines = []
    for number, run in enumerate(runs):
        figures = watching.figures(run.directory / series.METRICS)
        prefix = f"{('base', 'other')[number]} " if len(runs) > 1 else ""
        for split, weight in (("train", smooth), ("valid", 0.0)):
            steps, losses = figures.line(split)
            if steps:
                lines.append(Series(prefix + split, steps, series.smoothed(losses, weight)))
    chart = line_chart(lines, title="Loss", x_label="step", y_label="loss", log_y=log)
    return Curve(chart, smooth, log, query.get("search", "")[:MAX_SEARCH])


def budget(run: Run, live: Live) -> list[Budget]:
    """What training was planned to take beside what it took, or took so far; empty before it was planned."""
    found = run.metrics
    if "planned_tokens" not in found:
        return []
    so_far = (live.peak_memory_bytes, live.tokens, live.elapsed_s)
    at_the_end = (found.get("peak_memory_bytes"), found.get("total_tokens"), found.get("wall_time_s"))
    memory, tokens, seconds = so_far if run.is_open else at_the_end
    return [
        Budget("Memory", found["planned_memory_bytes"], memory, "bytes"),
        Budget("Tokens", found["planned_tokens"], tokens, "count"),
        Budget("Training time", found["planned_seconds"], seconds, "duration"),
    ]


def log(run: Run, query: Mapping[str, str]) -> Log:
    """The end of the log, or the last of its lines that hold what was searched for."""
    path, words = run.directory / series.LOG, query.get("search", "").strip()[:MAX_SEARCH]
    if not words:
        return Log(series.tail(path, LOG_BYTES))
    found = [line for line in series.tail(path, SEARCHED_BYTES) if words.lower() in line.lower()]
    return Log(found[-FOUND_LINES:], words, len(found))


def samples(run: Run) -> list[Sampled]:
    """What the model answered to the fixed questions, the newest checkpoint first."""
    lines = series.tail(run.directory / series.SAMPLES, SAMPLES_BYTES)
    by_step: dict[int, list[dict[str, Any]]] = {}
    for line in series.parse_points(lines):
        by_step.setdefault(line["step"], []).append(line)
    newest = sorted(by_step.items(), reverse=True)[:SAMPLED_STEPS]
    return [Sampled(step, answers, sum(bool(answer["correct"]) for answer in answers)) for step, answers in newest]


def verdict(run: Run) -> Verdict | None:
    found = verdicts.before_and_after(run)
    return Verdict(results.verdict(found.comparison), found, noise.floor_of(found.after)) if found else None


def steps(prediction: Prediction, run: Run) -> list[reading.Step]:
    return reading.read_steps(prediction.item.prompt, prediction.output, run.config["data"]["recipe"])


def actions(run: Run) -> Actions:
    """What its page offers: only what its state allows."""
    if run.removal == Run.Removal.DELETE:
        return Actions([], [DELETION])
    offered = []
    if run.is_open:
        offered.append(Action("run_cancel", "Cancel", "Stops it; the last sealed checkpoint stays.", "danger"))
    if run.status in services.RESUMED and run.has_checkpoint:
        offered.append(Action("run_resume", "Resume", "A new run that goes on from the last checkpoint."))
    if run.status in services.RETRIED:
        offered.append(Action("run_retry", "Retry", "A new run with the same config, seed and data."))
    if run.status in services.TRAINED and not run.purged_at:
        offered.append(Action("run_evaluate", "Examine again", "Replaces the present results."))
        offered.append(Action("run_replay", "Replay", "Does it all again, to see that the same comes out."))
    return Actions(offered, [] if run.is_open else _ways_away(run))


def _ways_away(run: Run) -> list[Action]:
    back = Action("run_unarchive", "Take back", "Lists show it again.")
    archive = back if run.archived_at else Action("run_archive", "Archive", "Hides it from lists and choices.")
    purge = Action("run_purge", "Purge…", "Removes its checkpoints; metrics and answers stay.", asks=True)
    return [archive, *([] if run.purged_at and not run.removal else [purge]), DELETION]


def filter_choices() -> dict[str, list]:
    """What the filters of the list offer."""
    keys = Dataset.objects.filter(runs__isnull=False).distinct().order_by("key").values_list("key", flat=True)
    tags = RunTag.objects.order_by("name").values_list("name", flat=True).distinct()
    return {"status": Run.Status.choices, "dataset_key": keys[:MOST_CHOICES], "tag": tags[:MOST_CHOICES]}


def worker_is_alive() -> bool:
    return Beacon.objects.workers().alive().filter(queue__contains=TrainRun.queue).exists()


def find_run(text: str) -> Run | None:
    return Run.objects.with_dataset().filter(pk=pk).first() if (pk := read_uuid(text)) else None


def _smoothing(text: str) -> float:
    return next((weight for weight in SMOOTHINGS if f"{weight:g}" == text), DEFAULT_SMOOTHING)
