"""Teaches a model a dataset: `python -m training.train_jax --config F (--dataset KEY | --data FILE) --output DIR`.

Or does a run again, from its run.json alone: `python -m training.train_jax --replay RUN_DIR --output DIR`.
Needs no Django and no database. Exit codes: see training.lifeline.
"""

import argparse
import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from training.command import outcome
from training.config import MAX_SEED, TrainConfig, load_config
from training.dataset_file import read_dataset
from training.engine.runtime import DEVICES, Processes, device, part, start_jax
from training.engines import JAX, SCRIPTS, TUNIX, check_engine, require_tunix
from training.errors import Fault, Invalid, echo
from training.evalsets import item_from_row, read_evalset
from training.files import file_sha256
from training.home import home
from training.inputs import changed_row, changed_since
from training.lifeline import emit, run_lock
from training.machine import THREADS, cores_to_use
from training.record import RECORD, new_record, read_record, recorded_cores, recorded_microbatch

if TYPE_CHECKING:
    from training.engine.loop import Engine

ONE_SOURCE = "Exactly one of --dataset or --data must be provided"
RECORDED = ("config", "dataset", "data", "seed", "microbatch", "threads")  # options that a replay finds in a record


def main(argv: list[str] | None = None) -> int:
    return train_by(JAX, argv)


def train_by(engine: str, argv: list[str] | None) -> int:
    """Does what the arguments say by one of training.engines.ENGINES; returns the exit code."""
    options = _options(argv, engine)
    return outcome(lambda: _run(options, engine))


@dataclass(frozen=True)
class _Work:
    """All that a run needs, read and checked before jax starts and before anything is written."""

    config: TrainConfig
    rows: list[dict[str, Any]]
    record: dict[str, Any]  # with which the run began
    now: dict[str, Any]  # what it would be if the run began now
    cores: int
    items: list[dict[str, Any]]  # to be examined on afterwards, if at all
    evalset: str


def _run(options: argparse.Namespace, engine: str) -> None:
    if engine == TUNIX:
        require_tunix()
    work, together = _prepare(options, engine), _together(options)
    start_jax(options.device, together, cores=work.cores)
    from training.engine.evaluate import examine_run  # jax may only be imported once its device is chosen
    from training.engine.loop import train

    first = together is None or together.index == 0
    with run_lock(options.output) if first else nullcontext():
        record = _with_attempt(work.record, work.now | {"device": device()}) if first else work.record
        train(work.config, work.rows, options.output, record=record, engine=_learner(engine))
        if together:
            part()
        if options.eval_after_train and first:
            examine_run(options.output, work.items, evalset=work.evalset)


def _with_attempt(record: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that goes on, with what computes it from now on otherwise than before, if anything does."""
    changed = changed_since(record, now | {"microbatch": record.get("microbatch")})
    if not changed:
        return record
    others = ", another ".join(map(str, changed.values()))
    emit("notice", message=f"an attempt goes on with another {others}: its bits may differ")
    attempt = {"began_at": now["created_at"], "inputs": {path: found.other for path, found in changed.items()}}
    return record | {"attempts": [*record.get("attempts", ()), attempt]}


def _learner(engine: str) -> "Engine":
    if engine == TUNIX:
        from training.engine.tunix.pupil import tunix_engine

        return tunix_engine
    from training.engine.loop import own_engine

    return own_engine


def _prepare(options: argparse.Namespace, engine: str) -> _Work:
    repeated, earlier, threads = _repeated(options, engine), _earlier(options), options.threads
    options = _as_recorded(options, repeated) if repeated else options
    data, manifest = _source(options)
    seed = earlier["seed"] if earlier and options.seed is None else options.seed
    config = options.config if repeated else load_config(options.config)
    if options.coordinator and seed is None and config.training.seed is None:
        msg = "is drawn by each process for itself when it is left open; give several processes the same one"
        raise Invalid(Fault(("training", "seed"), msg, "missing_field"))
    config = config.resolved(manifest=manifest, seed=seed)
    check_engine(config, engine)
    sha256 = file_sha256(data)
    if manifest and manifest["content_sha256"] != sha256:
        msg = f"{data} is not the file that was frozen: its checksum differs from its manifest's"
        raise Invalid(Fault(("dataset",), msg, "dataset_changed"))
    rows = read_dataset(data)
    cores = cores_to_use(recorded_cores(earlier) if earlier else options.threads)
    record = new_record(
        config,
        engine=engine,
        run_id=str(options.run_id or uuid4()),
        dataset_key=options.dataset,
        dataset_sha256=sha256,
        microbatch=options.microbatch,
        cores=cores,
        data=options.data,
        parent=str(options.parent) if options.parent else None,
    )
    if repeated:
        _refuse_other(repeated, record, options.replay, rows)
    if earlier:
        _refuse_change(earlier, record, config, threads)
    evalset, items = _evalset(options, config, rows)
    return _Work(config, rows, earlier or record, record, cores, items, evalset)


def _repeated(options: argparse.Namespace, engine: str) -> dict[str, Any] | None:
    """The record of the run to do again, if one is."""
    if not options.replay:
        return None
    record = read_record(options.replay)
    if (trained_by := record.get("engine", JAX)) != engine:
        msg = f"{options.replay} was trained by `python -m training.{SCRIPTS[trained_by]}`; that is what replays it"
        raise Invalid(Fault(("engine",), msg, "wrong_value"))
    return record


def _as_recorded(options: argparse.Namespace, record: dict[str, Any]) -> argparse.Namespace:
    """The options that begin the run of a record again."""
    key, data = record["dataset_key"], record.get("data") or ""
    if not key and not data:
        msg = f"{options.replay} was taught a file that its {RECORD} does not name, so it cannot be done again"
        raise Invalid(Fault(("dataset",), msg, "dataset_missing"))
    config = TrainConfig.from_dict(record["config"])
    size = None if record.get("engine") == TUNIX else recorded_microbatch(record, config)
    source = {"dataset": key, "data": None if key else Path(data)}
    sizes = {"seed": record["seed"], "microbatch": size, "threads": recorded_cores(record)}
    parent = options.parent or record["run_id"]
    return argparse.Namespace(**vars(options) | source | sizes | {"config": config, "parent": parent})


def _earlier(options: argparse.Namespace) -> dict[str, Any] | None:
    """The record of the run to go on with; None for a new one. A run that got as far as no record begins anew."""
    if not (options.output / RECORD).exists():
        return None
    if not options.resume:
        msg = f"{options.output} holds a run already; give --resume to go on with it, or another --output"
        raise Invalid(Fault(("output",), msg, "output_exists"))
    return read_record(options.output)


def _source(options: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """The file of rows, and the manifest of the dataset it belongs to (a bare file has none)."""
    if options.data:
        return options.data, {}
    directory = home() / "datasets" / options.dataset
    if Path(options.dataset).name != options.dataset or not (directory / "dataset.jsonl").is_file():
        msg = f"there is no dataset {echo(options.dataset)} in {home() / 'datasets'}"
        raise Invalid(Fault(("dataset",), msg, "dataset_missing"))
    return directory / "dataset.jsonl", json.loads((directory / "manifest.json").read_bytes())


def _refuse_other(repeated: dict[str, Any], now: dict[str, Any], run_dir: Path, rows: list[dict[str, Any]]) -> None:
    """A run is done again with the rows and the weights that it was taught, or not at all."""
    same = {
        "dataset": repeated["dataset_sha256"] == now["dataset_sha256"],
        "weights": repeated.get("weights") == now["weights"],
    }
    for what in (what for what, is_same in same.items() if not is_same):
        row = changed_row(run_dir, rows) if what == "dataset" else None
        where = f" (the first row that differs: {echo(row)})" if row else ""
        msg = (
            f"the {what} changed since {run_dir} was trained{where}; put it back to replay that run, or start a new one"
        )
        raise Invalid(Fault((what,), msg, f"{what}_changed"))


def _refuse_change(
    earlier: dict[str, Any], now: dict[str, Any], config: TrainConfig, threads: int | None = None
) -> None:
    """A run goes on with the config, the data, the weights and the engine it began with, or not at all.

    Configs are compared as they are read now: one of an older program lacks fields that have defaults since.
    The mesh may differ.
    """
    same = {
        "config": TrainConfig.from_dict(earlier["config"]).sha256() == config.sha256(),
        "dataset": earlier["dataset_sha256"] == now["dataset_sha256"],
        "weights": earlier.get("weights") == now["weights"],
        "engine": earlier["engine"] == now["engine"],
        "microbatch": now["microbatch"] in (None, recorded_microbatch(earlier, config)),
        "threads": threads in (None, recorded_cores(earlier)),
    }
    for what in (what for what, is_same in same.items() if not is_same):
        msg = f"the {what} changed since this run began; start a new run instead of resuming this one"
        raise Invalid(Fault((what,), msg, f"{what}_changed"))


def _evalset(
    options: argparse.Namespace, config: TrainConfig, rows: list[dict[str, Any]]
) -> tuple[str, list[dict[str, Any]]]:
    """Name and items of what the run is examined on: a file, else the dataset's test split, else its valid split."""
    if not options.eval_after_train:
        return "", []
    file = options.evalset or (Path(config.eval.evalset) if config.eval.evalset else None)
    if file:
        return file.stem, read_evalset(file)
    for split in ("test", "valid"):
        items = [item_from_row(row) for row in rows if row["split"] == split]
        if items:
            return f"{options.dataset or options.data.stem}:{split}", items
    msg = "the dataset has no test and no valid split to examine on; give --evalset"
    raise Invalid(Fault(("evalset",), msg, "evalset_missing"))


def _options(argv: list[str] | None, engine: str) -> argparse.Namespace:
    prog = f"python -m training.{SCRIPTS[engine]}"
    parser = argparse.ArgumentParser(prog=prog, description="Teaches a model a dataset.")
    parser.add_argument("--config", type=Path, help="a YAML or JSON file, see training/configs/")
    parser.add_argument("--dataset", metavar="KEY", help="a frozen dataset in $TUNIXRT_HOME/datasets/")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a JSONL file of dataset rows or traces")
    parser.add_argument("--replay", type=Path, metavar="RUN_DIR", help="do this run again: all that its run.json says")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the run's directory")
    parser.add_argument("--seed", type=_seed, help="over the config's; drawn and recorded when neither is given")
    parser.add_argument("--microbatch", type=_size, help="over the config's; chosen and recorded when neither is given")
    parser.add_argument("--threads", type=_size, metavar="N", help=f"cores that compute; else what {THREADS} says")
    parser.add_argument("--device", choices=list(DEVICES), default="auto")
    parser.add_argument("--resume", action="store_true", help="go on from the newest sealed checkpoint in --output")
    parser.add_argument("--eval_after_train", action="store_true", help="examine before and after, write the report")
    parser.add_argument("--evalset", type=Path, metavar="FILE", help="for --eval_after_train; else the test split")
    parser.add_argument("--run_id", type=UUID, help="drawn when not given")
    parser.add_argument("--parent", type=UUID, help="the run that this one repeats or goes on from")
    several = parser.add_argument_group("several processes", "that train together; start this command once for each")
    several.add_argument("--coordinator", metavar="HOST:PORT", help="where the first of them is found by the others")
    several.add_argument("--processes", type=int, metavar="N", help="how many there are")
    several.add_argument("--process", type=int, metavar="I", help="which of them this is, from 0")
    options = parser.parse_args(argv)
    if options.replay and any(getattr(options, name) is not None for name in RECORDED):
        parser.error(
            f"--replay takes everything from run.json; leave out {', '.join(f'--{name}' for name in RECORDED)}"
        )
    if not options.replay and not options.config:
        parser.error("the following arguments are required: --config (or --replay)")
    if not options.replay and bool(options.dataset) == bool(options.data):
        parser.error(ONE_SOURCE)
    if len({value is None for value in (options.coordinator, options.processes, options.process)}) > 1:
        parser.error("--coordinator, --processes and --process go together")
    if options.coordinator and engine == TUNIX:
        parser.error("the engine tunix trains in one process")
    if options.coordinator and not 0 <= options.process < options.processes:
        parser.error(f"--process must lie between 0 and {options.processes - 1}")
    if options.microbatch and engine == TUNIX:
        parser.error("the engine tunix computes a whole update at once; leave --microbatch out")
    if options.evalset and not options.eval_after_train:
        parser.error("--evalset says what to examine on; give --eval_after_train too")
    return options


def _together(options: argparse.Namespace) -> Processes | None:
    if not options.coordinator:
        return None
    return Processes(options.coordinator, options.processes, options.process)


def _size(text: str) -> int:
    size = int(text)
    if size < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return size


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed <= MAX_SEED:
        raise argparse.ArgumentTypeError(f"must lie between 0 and {MAX_SEED}")
    return seed


if __name__ == "__main__":
    sys.exit(main())
