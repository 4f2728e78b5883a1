"""What surrounds the step: starting, supervising, saving."""

from operator import itemgetter

from training.bench import material
from training.bench.setting import Setting
from training.bench.starts import Run, Start
from training.bench.turns import OURS, Row, middle, row, rows
from training.bench.wire import Contestant
from training.shapes import model_shape


def start(setting: Setting) -> list[Row]:
    """From the start of a process: imports, the first update, the first answer; with an empty cache and a full one."""
    shape = setting.shape
    lengths = [setting.length] * setting.batch
    arrays = material.weights(shape) | material.batches(shape, lengths, setting.length, packing=False, updates=1)
    job = setting.job(shape, prompts=material.prompts(shape, 8, 60, 60), max_new_tokens=16, stop_id=shape.vocab_size)
    turns = setting.compete(
        {
            f"{name}_{state}": Start(kind, job | {"static": False}, arrays, keep_cache=state == "warm")
            for state in ("warm", "cold")
            for name, kind in ((OURS, "ours:start"), ("tunix", "with_tunix:start"))
        }
    )
    seconds, compiling = itemgetter("seconds"), itemgetter("first_step")
    return [
        *rows("start_cold", "s", turns, seconds, ours="ours_cold", peers=["tunix_cold"]),
        *rows("start_warm", "s", turns, seconds, ours="ours_warm", peers=["tunix_cold", "tunix_warm"]),
        *rows("compile_cold", "s", turns, compiling, ours="ours_cold", peers=["tunix_cold"]),
        *rows("compile_warm", "s", turns, compiling, ours="ours_warm", peers=["tunix_warm"]),
    ]


def start_run(setting: Setting) -> list[Row]:
    """A run's own process as a worker starts it, beside a bare script that does the same first update."""
    turns = setting.compete({OURS: Run(supervised=True), "bare": Run(supervised=False)})
    return rows("start_run", "s", turns, itemgetter("seconds"))


def supervision(setting: Setting) -> list[Row]:
    """`train` with its journal, events and looks, beside a loop of nothing but the step."""
    job = setting.job(setting.shape, steps=12)
    turns = setting.compete(
        {
            OURS: Contestant("ours_loop:supervised", job, {}, environment={"TUNIXRT_SUPERVISED": "1"}),
            "bare": Contestant("ours_loop:bare", job, {}),
        }
    )
    return rows("supervision", "s an update", turns, lambda done: done["seconds"] / done["done"])


def checkpoint(setting: Setting) -> list[Row]:
    """A sealed checkpoint of the largest of our sizes: how long alone, and what it costs the training around it."""
    size = setting.size or "medium"
    shape = model_shape(size, setting.vocab_size)
    lengths = [setting.length] * setting.batch
    arrays = material.weights(shape) | material.batches(shape, lengths, setting.length, packing=False, updates=1)
    job = setting.job(shape)
    job["config"]["model"]["size"] = size
    turns = setting.compete({OURS: Contestant("ours_loop:checkpointing", job, arrays)})

    def pair(work: str, peer: str, unit: str, ours: str, theirs: str) -> Row:
        mine, others = (middle(turns.rounds.get(OURS), itemgetter(key)) for key in (ours, theirs))
        return row(work, peer, unit, mine, others, reason=turns.absent.get(OURS))

    return [
        pair("checkpoint_save", "orbax", "s", "save", "orbax_save"),
        pair("checkpoint_restore", "orbax", "s", "restore", "orbax_restore"),
        pair("checkpoint_stall", "training", "s in 100 updates", "stall", "hundred_updates"),
        pair("checkpoint_call", "training", "s in 100 updates", "call", "hundred_updates"),
    ]
