"""The works by name. docs/benchmarks.md explains their rows."""

from functools import partial

from training.bench.generation_works import generate
from training.bench.process_works import checkpoint, start, start_run, supervision
from training.bench.setting import Setting, Work
from training.bench.training_works import PER_MILLION, called, same_function, train, train_on_gpu, train_packed


def works(setting: Setting) -> dict[str, Work]:
    """The works by name: training at each size, the rest with the smallest model."""
    sizes = [setting.size] if setting.size else list(PER_MILLION)
    return {
        **{f"train_{called(size)}": partial(train, size=size) for size in sizes},
        "train_packed": train_packed,
        "generate_equal": partial(generate, kind="equal"),
        "generate_varied": partial(generate, kind="varied"),
        "start": start,
        "start_run": start_run,
        "supervision": supervision,
        "checkpoint": checkpoint,
        "same_function": same_function,
    }


def on_gpu() -> dict[str, Work]:
    return {f"gpu_{size}": partial(train_on_gpu, size=size) for size in ("270m", "1b")}
