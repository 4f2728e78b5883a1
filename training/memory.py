"""What a run takes of memory and what there is, known before it starts and without jax.

The terms are those of mixed-precision training with Adam (ZeRO, arXiv:1910.02054, section 3). How much lives between
the forward and the backward pass was fitted to what XLA reports of the compiled step; tests hold it against that.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from training.config import MICROBATCH, TrainConfig
from training.engines import JAX, TUNIX
from training.errors import Fault, Invalid, echo
from training.shapes import ModelShape, adapter_count, parameter_count

ALLOWED = "RUN_MEMORY_BYTES"  # in the environment
RUNTIME_BYTES = 650 * 2**20  # the process and the compiler, before any array: measured with jax 0.10 on a CPU
FLOAT32, MOMENTS = 4, 2
PLACE_BYTES = 5 * 4  # token, target, position, segment and mask of a place
WIDTHS, INNERS, LOGITS = 15, 4, 2  # arrays of a layer as wide as it and as its MLP, and of the vocabulary, a token
SCORES = {JAX: 1, TUNIX: 4}  # arrays of a layer's attention: a number a head and place, a token


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a run: those of one device, then those of the process that feeds it.

    On a CPU both are the same memory, and `total` is what the process takes.
    """

    devices: int
    parameters: int
    gradients: int  # the sum over an update, and those of a microbatch
    optimizer: int
    activations: int
    gathered: int  # parameters that other devices of its fsdp group hold, while they are used
    batch: int  # the sequences of an update, as they are fed and as the devices have them
    snapshot: int  # what a checkpoint holds, while it is written
    runtime: int

    @property
    def device(self) -> int:
        return self.parameters + self.gradients + self.optimizer + self.activations + self.gathered

    @property
    def total(self) -> int:
        return self.devices * self.device + self.batch + self.snapshot + self.runtime


def run_memory(config: TrainConfig, shape: ModelShape, *, engine: str = JAX, devices: int = 1) -> Memory:
    """The memory of a run on its mesh, where a mesh that is left open takes all `devices`. Within some tenths.

    A microbatch that is left open counts as the usual one; the run may choose one that takes more, as long as it fits.
    The engine tunix has one device, and computes all sequences of an update at once.
    """
    fsdp = config.mesh.fsdp
    data = config.mesh.data or (1 if engine == TUNIX else max(1, devices // fsdp))
    at_once = config.batch_size if engine == TUNIX else _alive_sequences(config, data * fsdp)
    whole, trained = parameter_count(shape), trained_parameters(config, shape)
    computed = 2 if config.training.dtype == "bfloat16" else FLOAT32
    return Memory(
        devices=data * fsdp,
        parameters=FLOAT32 * (whole + (trained if trained < whole else 0)) // fsdp,
        gradients=FLOAT32 * (trained // fsdp + trained),  # those of a microbatch are whole before they are split
        optimizer=MOMENTS * FLOAT32 * trained // fsdp,
        activations=computed * at_once * config.data.max_length * _alive(config, shape, engine),
        gathered=computed * whole if fsdp > 1 or computed < FLOAT32 else 0,
        batch=2 * PLACE_BYTES * config.batch_size * config.data.max_length,
        snapshot=2 * saved_bytes(trained),  # a copy, and what its writer holds of it
        runtime=RUNTIME_BYTES,
    )


def trained_parameters(config: TrainConfig, shape: ModelShape) -> int:
    """How many numbers get gradients and moments and are saved: the model's, or only its adapters'."""
    lora = config.model.lora
    return adapter_count(shape, lora.rank, lora.targets) if lora else parameter_count(shape)


def saved_bytes(trained: int) -> int:
    """What a checkpoint takes: the trained parameters and their moments."""
    return (1 + MOMENTS) * FLOAT32 * trained


def require_memory(needed: Memory, there: int | None, *, device: bool = False) -> None:
    """Raises Invalid when a run needs more than the bytes that are `there`, in all or on each `device`.

    None: nobody knows how many there are.
    """
    wanted, devices = (needed.device, 1) if device else (needed.total, needed.devices)
    if there is not None and wanted > there:
        msg = (
            f"needs about {_readable(wanted)} of memory and {'a device' if device else 'this machine'} has "
            f"{_readable(there)}: {_largest(needed, devices)}. A smaller model, model.lora, a smaller "
            "training.microbatch (the engine tunix has none: batch_size) or a shorter data.max_length need less"
        )
        raise Invalid(Fault(("model",), msg, "out_of_memory"))


def allowed_memory() -> int | None:
    """Bytes that a run may take on the CPU: RUN_MEMORY_BYTES of the environment, or else what the machine has.

    Raises Invalid when that is no number.
    """
    given = os.environ.get(ALLOWED)
    if given is None:
        return machine_memory()
    if not given.isdecimal():
        raise Invalid(Fault((ALLOWED,), f"must be a number of bytes, not {echo(given)}", "wrong_value"))
    return int(given)


def machine_memory() -> int | None:
    """Bytes that this process may take at most: the machine's, or its control group's (cgroups 1 and 2)."""
    limits = [_number(path) for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")]
    return min((limit for limit in [*limits, _kilobytes("/proc/meminfo", "MemTotal")] if limit), default=None)


def peak_memory() -> int | None:
    """The most bytes that this process ever held; None where the system does not tell.

    Not what getrusage says: that a process inherits from the one that started it.
    """
    return _kilobytes("/proc/self/status", "VmHWM")


def _alive(config: TrainConfig, shape: ModelShape, engine: str) -> int:
    """Numbers a token that live between the forward and the backward pass."""
    wide = max(shape.width, shape.heads * shape.head_dim)
    layer = WIDTHS * wide + INNERS * shape.mlp_width + SCORES[engine] * shape.heads * config.data.max_length
    return shape.layers * layer + LOGITS * shape.vocab_size


def _alive_sequences(config: TrainConfig, devices: int) -> int:
    """Sequences whose activations a device holds at once."""
    return min(config.training.microbatch or MICROBATCH, -(-config.batch_size // devices))


def _largest(needed: Memory, devices: int) -> str:
    """The three largest parts on so many devices, in words."""
    parts = {
        "parameters": devices * needed.parameters,
        "gradients": devices * needed.gradients,
        "optimiser": devices * needed.optimizer,
        "activations": devices * needed.activations,
        "gathered parameters": devices * needed.gathered,
        "the batch": needed.batch,
    }
    largest = sorted(parts, key=lambda name: -parts[name])[:3]
    return ", ".join(f"{name} {_readable(parts[name])}" for name in largest)


def _readable(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def _number(path: str) -> int | None:
    """The number that a file of the kernel holds, if it is one."""
    try:
        text = Path(path).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _kilobytes(path: str, field: str) -> int | None:
    """Bytes of a line `field:   123 kB`."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), None)
