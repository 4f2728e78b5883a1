"""A trainer and examiner that computes a chain of hashes in a model's place; `start_dry` is its command line.

Towards its supervisor it is the real one: lifeline, journal, record, sealed checkpoints, resume from the newest that
verifies, the files of an examination. A loss follows from the seed, the rows and the loss before it, so a lost, doubled
or reordered update changes every later one. It needs no package beside tunixrt and starts in a tenth of a second.

What it is to suffer stands in `$TUNIXRT_HOME/dry/<seed>.json`, which is read anew before each update:
`pace` (seconds an update), `hold` (a place to wait at while it stands there: "start", "examine", or an update) and
`faults`, a list of `{"at": place, "do": deed, "attempt": which (every one when left out)}`.
"""

import argparse
import fcntl
import json
import os
import random
import shutil
import signal
import time
from hashlib import sha256
from pathlib import Path

from training import lifeline
from training.command import outcome
from training.files import append_line, file_sha256, fsync_directory, write_json_atomic
from training.journal import Journal, Update
from training.lifeline import Failure, run_lock

MANIFEST = "MANIFEST.json"
PACE = 0.03


def main(argv: list[str]) -> int:
    script = argv[argv.index("-m") + 1]
    options = _options(argv[argv.index("-m") + 2 :])
    return outcome(lambda: {"training.train_jax": train, "training.eval_run": examine}[script](options))


def losses(seed: int, rows_sha256: str, steps: int) -> list[float]:
    """The curve of a run that nothing happens to."""
    state, curve = "", []
    for step in range(1, steps + 1):
        state = advance(state, seed, rows_sha256, step)
        curve.append(loss_of(state))
    return curve


def advance(state: str, seed: int, rows_sha256: str, step: int) -> str:
    return sha256(f"{state} {seed} {rows_sha256} {step}".encode()).hexdigest()


def loss_of(state: str) -> float:
    return 1.0 + int(state[:8], 16) / 2**32


def train(options: argparse.Namespace) -> None:
    config = json.loads(options.config.read_bytes())
    home, total = Path(os.environ["TUNIXRT_HOME"]), config["training"]["steps"]
    rows_sha256 = file_sha256(home / "datasets" / options.dataset / "dataset.jsonl")
    fate = Fate(home, options.seed, options.output)
    fate.meet("start")
    with run_lock(options.output), fate.alone("train"):
        write_record(options, config, rows_sha256)
        step, state, elapsed = resume(options.output / "checkpoints")
        journal = Journal(options.output, step=step, total=total, log_every=1, tokens=8 * step, elapsed=elapsed)
        journal.phase("training")
        while step < total:
            fate.meet(step + 1)
            if lifeline.stop_requested():
                seal(options.output / "checkpoints", step, state, journal)
                raise Failure(lifeline.TRANSIENT, "stopped", f"stopped on request after update {step}")
            time.sleep(fate.pace)
            step, state = step + 1, advance(state, options.seed, rows_sha256, step + 1)
            journal.update(Update(step, step / total, 8, 1e-3, loss_of(state), 1.0))
            if step % config["checkpoint"]["every"] == 0 or step == total:
                fate.meet(f"save {step}")
                seal(options.output / "checkpoints", step, state, journal)
        fate.meet("end")


def examine(options: argparse.Namespace) -> None:
    """Half the items right, which ones follows from the trained state."""
    from tests.examination import write_files
    from training.evalsets import evalset_sha256, read_evalset

    record, items = json.loads((options.run / "run.json").read_bytes()), read_evalset(options.evalset)
    fate = Fate(Path(os.environ["TUNIXRT_HOME"]), record["seed"], options.run)
    with run_lock(options.run), fate.alone("examine"):
        lifeline.emit("phase", message="examining")
        fate.meet("examine")
        newest = latest_sealed(options.run / "checkpoints")
        if newest is None:
            raise Failure(lifeline.BAD_CONFIG, "checkpoint_corrupt", "no checkpoint agrees with its manifest")
        state = json.loads((newest / "state.json").read_bytes())["state"]
        right = [random.Random(f"{state} {i}").random() < 0.5 for i in range(len(items))]
        about = {"run_id": record["run_id"], "seed": record["seed"], "evalset": options.name}
        about["evalset_sha256"] = evalset_sha256(items)
        recipe, wrong = record["recipe"], lambda i: False
        arguments = {"recipe": recipe, "before": wrong, "after": right.__getitem__, "step": int(newest.name)}
        write_files(options.run, items, **arguments, **about)
        fate.meet("examined")


class Fate:
    """What happens to this process, by its control file."""

    def __init__(self, home: Path, seed: int, run_dir: Path):
        self.folder, self.run = home / "dry", run_dir.name
        self.folder.mkdir(exist_ok=True)
        self.file = self.folder / f"{seed}.json"
        self.pace, self.attempt = PACE, 0

    def alone(self, stage: str) -> "Alone":
        return Alone(self, stage)

    def meet(self, place: int | str) -> None:
        """Suffers what stands in the file for this place and this attempt, and waits while it is held here."""
        fate = self.read()
        for fault in fate.get("faults", ()):
            if fault["at"] == place and fault.get("attempt", self.attempt) == self.attempt:
                suffer(fault["do"])
        told = 0.0
        while fate.get("hold") == place and not lifeline.stop_requested():
            if time.monotonic() - told > 0.5:  # it waits, it does not hang
                lifeline.emit("phase", message=f"held at {place}")
                told = time.monotonic()
            time.sleep(0.02)
            fate = self.read()

    def read(self) -> dict:
        try:
            fate = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            fate = {}
        self.pace = fate.get("pace", PACE)
        return fate


class Alone:
    """Writes down the life of this process, and that another one was alive in it."""

    def __init__(self, fate: Fate, stage: str):
        self.fate, self.stage = fate, stage

    def __enter__(self) -> None:
        lives = self.fate.folder / f"{self.fate.run}.lives"
        self.handle = os.open(lives, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            append_line(lives, f"two {self.stage} {os.getpid()}")
        append_line(lives, f"start {self.stage} {os.getpid()}")
        self.fate.attempt = lives.read_text().count(f"start {self.stage} ")

    def __exit__(self, *exc: object) -> None:
        append_line(self.fate.folder / f"{self.fate.run}.lives", f"end {self.stage} {os.getpid()}")
        os.close(self.handle)


def suffer(deed: str) -> None:
    """`kill`, `stop`, `hang`, `deaf`, `bug`, or `exit N` with the reason that the real one gives."""
    match deed.split():
        case ["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["stop"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        case ["hang"]:
            while True:
                time.sleep(1)
        case ["deaf"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case ["bug"]:
            raise ZeroDivisionError("a bug in the trainer")
        case ["exit", code]:
            raise Failure(int(code), "dry", f"ended with {code} by its fate")
        case _:
            raise ValueError(f"unknown fate {deed!r}")


def write_record(options: argparse.Namespace, config: dict, rows_sha256: str) -> None:
    from training import record

    if not (options.output / record.RECORD).exists():
        said = {"format_version": 1, "run_id": options.run_id, "engine": "jax", "dataset_key": options.dataset}
        said |= {"dataset_sha256": rows_sha256, "recipe": config["data"]["recipe"], "config": config}
        said |= {"seed": options.seed, "parent": options.parent, "weights": None}
        record.write_record(options.output, said)


def seal(directory: Path, step: int, state: str, journal: Journal) -> None:
    path = directory / str(step)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    write_json_atomic(path / "state.json", {"state": state, "elapsed": journal.elapsed})
    journal.flush()
    fsync_directory(directory)
    write_json_atomic(path / MANIFEST, manifest(path))
    journal.checkpoint(step)
    for old in sorted(int(each.name) for each in directory.iterdir() if each.name.isdecimal())[:-2]:
        shutil.rmtree(directory / str(old))


def manifest(path: Path) -> dict:
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {"step": int(path.name), "files": {str(file.relative_to(path)): file_sha256(file) for file in files}}


def latest_sealed(directory: Path) -> Path | None:
    """The newest step whose files agree with their manifest."""
    steps = sorted((int(path.name) for path in directory.glob("[0-9]*")), reverse=True)
    return next((directory / str(step) for step in steps if is_sealed(directory / str(step))), None)


def is_sealed(path: Path) -> bool:
    try:
        return json.loads((path / MANIFEST).read_text()) == manifest(path)
    except (OSError, ValueError):
        return False


def resume(directory: Path) -> tuple[int, str, float]:
    newest = latest_sealed(directory)
    for path in directory.glob("[0-9]*"):
        if newest is None or int(path.name) > int(newest.name):
            lifeline.emit("notice", message=f"warning: checkpoint {path.name} is damaged")
            path.rename(directory / f"bad-{path.name}")
    if newest is None:
        return 0, "", 0.0
    kept = json.loads((newest / "state.json").read_bytes())
    return int(newest.name), kept["state"], kept["elapsed"]


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--config", "--output", "--run", "--evalset"):
        parser.add_argument(name, type=Path)
    for name in ("--dataset", "--run_id", "--parent", "--name", "--device"):
        parser.add_argument(name)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--resume", action="store_true")
    return parser.parse_known_args(argv)[0]
