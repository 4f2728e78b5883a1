"""The table of docs/scale.md: `python -m tests.training.memory_table` prints it."""

from training.config import TrainConfig
from training.memory import run_memory

SIZES = {"tiny": 512, "small": 512, "medium": 512, "270m": 262_144, "1b": 262_144}  # with their vocabularies
DEVICES = (1, 4, 8)


def table() -> str:
    """GiB a device of 16 sequences of 256 places, two at once, the devices one fsdp group; and of the host process."""
    head = [
        "| model | trained | computed in | 1 device | 4 devices | 8 devices | its process besides |",
        "|" + "---|" * 7,
    ]
    rows = [
        f"| {size} | {'all' if lora is None else 'adapters'} | {dtype} | {' | '.join(_cells(size, lora, dtype))} |"
        for size in SIZES
        for lora in (None, {})
        for dtype in ("float32", "bfloat16")
    ]
    return "\n".join([*head, *rows])


def _cells(size: str, lora: dict | None, dtype: str) -> list[str]:
    found = [_memory(size, lora, dtype, devices) for devices in DEVICES]
    return [_gib(memory.device) for memory in found] + [_gib(found[0].snapshot + found[0].runtime)]


def _memory(size: str, lora: dict | None, dtype: str, devices: int):
    training = {"steps": 1, "batch_size": 16, "microbatch": 2, "dtype": dtype}
    model = {"size": size, "lora": lora}
    config = TrainConfig.from_dict({"model": model, "training": training, "mesh": {"fsdp": devices}})
    return run_memory(config, config.shape(SIZES[size]))


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f}"


if __name__ == "__main__":
    print(table())
