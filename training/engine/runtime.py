"""Starting jax once, the same way for every script: which device, and where compiled programs are kept."""

import os

from training.lifeline import BAD_CONFIG, Failure
from training.record import compile_cache

DEVICES = {"auto": "", "cpu": "cpu", "gpu": "cuda", "tpu": "tpu"}


def start_jax(device: str) -> None:
    """Imports jax for `device`, one of DEVICES. Raises Failure when this machine has no such device."""
    if DEVICES[device]:
        os.environ["JAX_PLATFORMS"] = DEVICES[device]
    import jax  # reads the variable above

    cache = compile_cache()
    cache.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    try:
        jax.devices()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise Failure(BAD_CONFIG, "device_unavailable", f"there is no {device} for jax on this machine: {reason}")
