"""The engines that can compute a run's updates, and what each asks of a config. Known without jax and without Tunix."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from training.config import TrainConfig
from training.errors import Fault, Invalid
from training.lifeline import BAD_CONFIG, Failure
from training.shapes import OWN_FAMILY

JAX, TUNIX = "jax", "tunix"
ENGINES = (JAX, TUNIX)
SCRIPTS = {JAX: "train_jax", TUNIX: "train_sft_tunix"}  # in the package training
TUNIX_VERSIONS = {"google-tunix": "0.1.7", "qwix": "0.1.8"}  # those of requirements-tunix.txt
INSTALL = "`make tunix` in tunixrt's directory installs it (docs/tunix.md)"
# Where jax looks for what drives GPUs and TPUs.
PLUGINS = "from importlib.util import find_spec; print(any(map(find_spec, ('jax_plugins', 'libtpu'))))"
VERSIONS_OF = "from importlib.metadata import version; import sys; print(*map(version, sys.argv[1:]))"


def why_absent(python: Path) -> str | None:
    """Why Tunix cannot be used by the interpreter `python`, with the way to install it; None when it can.

    The interpreter is asked which versions it has, which imports neither Tunix nor jax there or here.
    """
    if not python.exists():
        return _complaint(())
    if complaint := _complaint(_versions(python)):
        _versions.cache_clear()  # somebody may install it while this process lives
        return complaint
    return None


def require_tunix() -> None:
    """Raises Failure unless this process has Tunix, in the versions that tunixrt is made for."""
    if reason := why_absent(Path(sys.executable)):
        raise Failure(BAD_CONFIG, "engine_missing", reason)


def check_engine(config: TrainConfig, engine: str) -> None:
    """Raises Invalid when this engine cannot do what the config asks for: no field is ignored in silence."""
    if faults := list({JAX: _jax_faults, TUNIX: _tunix_faults}[engine](config)):
        raise Invalid(faults)


def may_use_accelerator(python: Path) -> bool:
    """Whether jax of the interpreter `python` may find a GPU or a TPU; jax is not imported there or here."""
    if not (found := _plugins(python)):
        _plugins.cache_clear()  # as in why_absent
    return found != "False"


@cache
def _plugins(python: Path) -> str:
    """Whether an interpreter has any of PLUGINS, in its words; empty when it does not answer."""
    return _said([str(python), "-c", PLUGINS]).strip()


@cache
def _versions(python: Path) -> tuple[str, ...]:
    """The versions that an interpreter has of TUNIX_VERSIONS; empty when one is missing."""
    return tuple(_said([str(python), "-c", VERSIONS_OF, *TUNIX_VERSIONS]).split())


def _said(command: list[str]) -> str:
    """What a command wrote; nothing when it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _complaint(found: tuple[str, ...]) -> str | None:
    if not found:
        return f"Tunix is not installed: {INSTALL}"
    triples = zip(TUNIX_VERSIONS.items(), found, strict=True)
    differing = [f"{name} {has} instead of {wanted}" for (name, wanted), has in triples if has != wanted]
    return f"Tunix is installed in other versions ({', '.join(differing)}): {INSTALL}" if differing else None


def _jax_faults(config: TrainConfig) -> Iterator[Fault]:
    if config.model.family != OWN_FAMILY:
        msg = f"{config.model.family} is computed by the engine tunix only; the engine jax computes {OWN_FAMILY}"
        yield Fault(("model", "family"), msg, "wrong_value")


def _tunix_faults(config: TrainConfig) -> Iterator[Fault]:
    model, training = config.model, config.training
    if model.family != OWN_FAMILY and model.weights is None:
        msg = f"{model.family} is trained from published weights only: name their directory in weights/"
        yield Fault(("model", "weights"), msg, "missing_field")
    if model.family != OWN_FAMILY and config.eval.temperature:
        yield Fault(("eval", "temperature"), f"answers of {model.family} are the likeliest here: 0", "wrong_value")
    if training.dtype != "float32":
        yield Fault(("training", "dtype"), "the engine tunix computes in float32", "wrong_value")
    if training.microbatch not in (None, config.batch_size):
        msg = "the engine tunix computes a whole update at once; leave it out"
        yield Fault(("training", "microbatch"), msg, "wrong_value")
    if config.mesh.fsdp != 1 or config.mesh.data not in (None, 1):
        yield Fault(("mesh",), "the engine tunix trains on one device here; leave it out", "wrong_value")
    if model.lora and model.lora.dropout:
        msg = "the engine tunix has no dropout that a resumed run could repeat; leave it out"
        yield Fault(("model", "lora", "dropout"), msg, "wrong_value")
    if model.lora and "gemma" in model.family:
        yield from _parted_matrices(config, set(model.lora.targets))


def _parted_matrices(config: TrainConfig, targets: set[str]) -> Iterator[Fault]:
    """Matrices that Tunix's Gemma has as one, of which only some are targets. Raises Invalid for unusable weights."""
    shape = config.shape(0)
    together = ["k_proj", "v_proj"] if shape.heads != shape.kv_heads else ["q_proj", "k_proj", "v_proj"]
    if targets & set(together) and not targets.issuperset(together):
        msg = f"{', '.join(together)} are one matrix in Tunix's Gemma of this shape: give all or none"
        yield Fault(("model", "lora", "targets"), msg, "wrong_value")
