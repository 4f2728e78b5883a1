"""What a run writes while it trains: metrics.jsonl for plots, ledger/ for the rows behind them, train.log for people,
events for the supervisor."""

import json
import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from training import lifeline
from training.files import append_line, fsync_file, write_json_atomic, write_lines_atomic
from training.ledger import append_looks, flush_looks, forget_looks_after, write_rows
from training.lifeline import NONFINITE, Failure
from training.memory import peak_memory
from training.plan import RunPlan, opening

if TYPE_CHECKING:
    import numpy as np

    from training.renderers import Row

METRICS, LOG, PLAN, SAMPLES = "metrics.jsonl", "train.log", "plan.json", "samples.jsonl"
LINES_WANTED = 1000  # train lines of a run that does not say how often to log
EVENT_SECONDS = 0.5  # between two progress events, at least


class Update(NamedTuple):
    """One update, as it is logged."""

    step: int
    epoch: float
    tokens: int  # places that held a row
    learning_rate: float
    loss: float
    grad_norm: float
    looks: "np.ndarray | None" = None  # training.ledger.LOOK; None from an engine that does not give the losses by row


class Journal:
    """The writer of one attempt at a run. `tokens` and `elapsed` continue from the checkpoint it starts at.

    Without a `run_dir` it counts and fails alike, and writes and says nothing: another process does.
    """

    def __init__(
        self,
        run_dir: Path | None,
        *,
        step: int,
        total: int,
        log_every: int | None,
        tokens: int,
        elapsed: float,
        memory: Callable[[], int | None] = peak_memory,
    ):
        self.tokens, self._total = tokens, total
        self._run_dir, self._memory = run_dir, memory
        self._log_every = log_every or max(1, total // LINES_WANTED)
        self._began = time.monotonic() - elapsed
        self._since, self._since_tokens = time.monotonic(), tokens
        self._told = self._speed = self._loss = 0.0
        self._valid_loss: float | None = None
        if run_dir:
            forget_after(step, run_dir / METRICS)
            forget_looks_after(step, run_dir)

    @property
    def elapsed(self) -> float:
        """Seconds of training, earlier attempts included."""
        return time.monotonic() - self._began

    def update(self, update: Update, *, shown: bool = False) -> None:
        """Logs an update when its turn comes or it is to be `shown`; the ledger has them all.

        Raises Failure (NONFINITE) when its numbers are none.
        """
        self.tokens += update.tokens
        if self._run_dir and update.looks is not None:
            append_looks(self._run_dir, update.looks)
        if broken := _nonfinite(update.loss, update.grad_norm):
            self._line("train", update, **broken)
            numbers = f"loss {update.loss}, gradient norm {update.grad_norm}"
            self.fail(NONFINITE, "nonfinite", f"step {update.step} gave {numbers}; a lower learning rate may help")
        self._loss = update.loss
        if shown or update.step % self._log_every == 0 or update.step in (1, self._total):
            self._measure_speed()
            self._line("train", update)
            self.say(f"step {update.step}/{self._total} loss {update.loss:.4f} {self._speed:.0f} tokens/s")
        self._tell(update.step)

    def valid(self, update: Update, loss: float) -> None:
        """Logs the loss on the valid split after `update`."""
        self._valid_loss = loss if math.isfinite(loss) else None
        self._line("valid", update._replace(loss=loss), **_nonfinite(loss))
        self.say(f"step {update.step}/{self._total} valid loss {loss:.4f}")

    def checkpoint(self, step: int) -> None:
        self.say(f"checkpoint {step} sealed")
        self._emit("checkpoint", step=step)

    def planned(self, plan: RunPlan, *, peak_memory_bytes: int) -> None:
        """Says what is about to happen, and leaves it in plan.json beside what will have happened.

        `peak_memory_bytes` are those that will be measured under this name: a device's or the process's.
        """
        for sentence in opening(plan):
            self.say(sentence)
        if self._run_dir:
            write_json_atomic(self._run_dir / PLAN, plan.to_dict())
        self._emit("plan", peak_memory_bytes=peak_memory_bytes, tokens=plan.tokens, updates=plan.updates)

    def taught(self, rows: "Iterable[Row]") -> None:
        """Names the rows that the ledger tells of by number."""
        if self._run_dir:
            write_rows(self._run_dir, rows)

    def phase(self, message: str) -> None:
        self.say(message)
        self._emit("phase", message=message)

    def warn(self, message: str) -> None:
        """Says what went wrong without ending the run."""
        self._notice(f"warning: {message}")

    def end(self, step: int, message: str) -> None:
        """Says why the run is over after `step` updates, fewer than were planned."""
        self._notice(f"step {step}/{self._total} {message}")
        self._total = step
        self._tell(step)

    def flush(self) -> None:
        """Makes metrics.jsonl and the ledger survive a power loss."""
        if self._run_dir and (self._run_dir / METRICS).exists():
            fsync_file(self._run_dir / METRICS)
            flush_looks(self._run_dir)

    def fail(self, code: int, reason: str, message: str) -> NoReturn:
        """Ends the run with a Failure that its log tells of too."""
        self.say(message)
        raise Failure(code, reason, message)

    def say(self, message: str) -> None:
        """A line in train.log; a full disk costs the line, not the run."""
        with suppress(OSError):
            self._append(LOG, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {message}")

    def restart_clock(self) -> None:
        """Speed is measured from here: compiling and examining are no training."""
        self._since, self._since_tokens = time.monotonic(), self.tokens

    def _notice(self, message: str) -> None:
        """A sentence that belongs into the history of the run."""
        self.say(message)
        self._emit("notice", message=message)

    def _line(self, split: str, update: Update, **more: str) -> None:
        numbers = {"loss": update.loss, "learning_rate": update.learning_rate, "grad_norm": update.grad_norm}
        line = {
            "step": update.step,
            "split": split,
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "tokens": self.tokens,
            "tokens_per_second": round(self._speed, 1),
            "elapsed_s": round(self.elapsed, 3),
            "epoch": round(update.epoch, 4),
            "peak_memory_bytes": self._memory(),
            **more,
        }
        self._append(METRICS, json.dumps(line, allow_nan=False))

    def _measure_speed(self) -> None:
        now = time.monotonic()
        self._speed = (self.tokens - self._since_tokens) / max(now - self._since, 1e-9)
        self._since, self._since_tokens = now, self.tokens

    def _tell(self, step: int) -> None:
        now = time.monotonic()
        if now - self._told < EVENT_SECONDS and step < self._total:
            return
        self._told = now
        self._emit(
            "progress",
            done=step,
            total=self._total,
            message="training",
            loss=self._loss,
            valid_loss=self._valid_loss,
            tokens_per_second=self._speed,
        )

    def _append(self, name: str, line: str) -> None:
        if self._run_dir:
            append_line(self._run_dir / name, line)

    def _emit(self, event: str, **fields: object) -> None:
        if self._run_dir:
            lifeline.emit(event, **fields)


def _nonfinite(*numbers: float) -> dict[str, str]:
    """What a line says besides when one of its numbers is none: the first of those, by name."""
    broken = next((number for number in numbers if not math.isfinite(number)), None)
    return {} if broken is None else {"nonfinite": "nan" if math.isnan(broken) else "inf"}


def forget_after(step: int, path: Path) -> None:
    """Drops the lines of updates that are about to be done again, and a torn last line."""
    if path.exists():
        lines = path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n") and json.loads(line)["step"] <= step]
        write_lines_atomic(path, whole)
