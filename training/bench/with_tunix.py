"""The same work by Google Tunix: `PeftTrainer` and its sampler over its own Gemma 3, both as published.

Its Gemma 3 sets gate, up and down kernels to zero, and an MLP of zeros never learns; like everybody it starts from the
given weights instead, which it reads in its own way from a file.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from safetensors.numpy import save_file
from tunix.generate import utils
from tunix.generate.sampler import CacheConfig, Sampler
from tunix.models.gemma3.params_safetensors import create_model_from_safe_tensors
from tunix.sft import peft_trainer

from training.bench.material import published, useful_tokens
from training.bench.wire import Arrays, Desk, Round, cut, timed_answers
from training.engine.tunix.gemma3 import model_config
from training.shapes import ModelShape

LIBRARIES = ("google-tunix", "jax", "flax")


def training(job: dict, arrays: Arrays, desk: Desk) -> None:
    """Rounds of updates by `PeftTrainer.train`, which is told that somebody else decides when it is over."""
    one_round = _trained(job, arrays)
    desk.ready(*LIBRARIES)
    desk.serve(one_round)


def generation(job: dict, arrays: Arrays, desk: Desk) -> None:
    """All prompts in one batch."""
    answers = partial(_answers, _sampler(job, tunix_model(job, arrays)), job)
    desk.ready(*LIBRARIES)
    desk.serve(partial(timed_answers, answers))


def start(job: dict, arrays: Arrays, desk: Desk) -> None:
    """One update and one generation, once: what a process does first."""
    desk.ready(*LIBRARIES)
    if desk.asked():
        begin = time.perf_counter()
        model = tunix_model(job, arrays)
        _trained(job, arrays, model)()
        first_step = time.perf_counter() - begin
        _answers(_sampler(job, model), job)
        desk.answer({"first_step": first_step})


def _trained(job: dict, arrays: Arrays, model: Any = None) -> Callable[[], Round]:
    losses: list[Any] = []

    class Trainer(peft_trainer.PeftTrainer):
        """Keeps the losses of a round, on the device."""

        def _post_process_train_step(self, aux: Any) -> None:
            losses.append(aux)

    parts = list(_parts(job, arrays))
    each = len(parts) // len(arrays["tokens"])  # parts an update
    config = peft_trainer.TrainingConfig(
        eval_every_n_steps=10**9, gradient_accumulation_steps=each if each > 1 else None
    )
    trainer = Trainer(model or tunix_model(job, arrays), _adamw(job["training"]), config)
    trainer.is_managed_externally = True
    trainer = trainer.with_gen_model_input_fn(_model_input).with_loss_fn(_loss, has_aux=True)

    def one_round() -> Round:
        losses.clear()
        begin = time.perf_counter()
        trainer.train(parts)
        curve = np.array([float(loss) for loss in losses]).reshape(-1, each).mean(axis=1).tolist()
        return {"seconds": time.perf_counter() - begin, "done": useful_tokens(arrays), "losses": curve}

    return one_round


def _sampler(job: dict, model: Any) -> Sampler:
    shape = ModelShape(**job["shape"])
    cache = CacheConfig(
        cache_size=_prompt_places(job) + job["max_new_tokens"],
        num_layers=shape.layers,
        num_kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
    )
    return Sampler(model, _Numbers(), cache)


def _answers(sampler: Sampler, job: dict) -> list[list[int]]:
    """Token 0 may not be written: the sampler would take it for padding."""
    written = sampler(
        job["prompts"],
        max_generation_steps=job["max_new_tokens"],
        max_prompt_length=_prompt_places(job),
        eos_tokens=[job["stop_id"]],
        forbidden_tokens=[0],
    )
    return [cut(np.asarray(answer).tolist(), job["stop_id"]) for answer in written.tokens]


def _prompt_places(job: dict) -> int:
    return utils.next_power_of_2(max(map(len, job["prompts"])))


def tunix_model(job: dict, arrays: Arrays) -> Any:
    """Tunix's Gemma 3 with the given weights, which it keeps in the type that it computes in."""
    shape, number = ModelShape(**job["shape"]), jnp.bfloat16 if job.get("bfloat16") else jnp.float32
    config = model_config(shape, number)
    with tempfile.TemporaryDirectory() as directory:
        save_file(published(shape, arrays), Path(directory) / "model.safetensors")
        return create_model_from_safe_tensors(directory, config, dtype=number)


@struct.dataclass(frozen=True)
class Part(peft_trainer.TrainingInput):
    """Rows whose gradient is computed at once."""

    share: Any = None  # times their mean loss is their part of the update's, as an average over parts


def _parts(job: dict, arrays: Arrays) -> Iterator[Part]:
    """The rows of every update, `rows_at_once`. A target is trained where the token before it is."""
    for tokens, mask in zip(arrays["tokens"], arrays["loss_mask"], strict=True):
        trained = np.pad(mask[:, :-1], ((0, 0), (1, 0)))
        parts = -(-len(tokens) // job["rows_at_once"])
        for rows, wanted in zip(np.split(tokens, parts), np.split(trained, parts), strict=True):
            yield Part(rows, wanted, share=np.float32(wanted.sum() * parts / trained.sum()))


def _model_input(part: Part) -> dict[str, Any]:
    """Rows begin at the left, so what pads them is after all that is trained, and unseen by it."""
    everything = jnp.ones_like(part.input_tokens, bool)
    return {
        "input_tokens": part.input_tokens,
        "input_mask": part.input_mask,
        "positions": utils.build_positions_from_mask(everything),
        "attention_mask": utils.make_causal_attn_mask(everything, part.input_tokens.shape[1]),
        "share": part.share,
    }


def _loss(
    model: Any, input_tokens: Any, input_mask: Any, positions: Any, attention_mask: Any, share: Any
) -> tuple[Any, Any]:
    loss = share * peft_trainer._default_loss_fn(model, input_tokens, input_mask, positions, attention_mask)
    return loss, loss


def _adamw(wanted: dict) -> optax.GradientTransformation:
    adamw = optax.adamw(wanted["learning_rate"], b2=0.95, weight_decay=0.0)
    return optax.chain(optax.clip_by_global_norm(wanted["grad_clip"]), adamw)


class _Numbers:
    """A tokenizer whose texts are token ids already; the sampler puts `<bos>` before them again."""

    def encode(self, prompt: list[int], **_: Any) -> list[int]:
        return prompt[1:]

    def decode(self, ids: list[int], **_: Any) -> str:
        return ""

    def bos_id(self) -> int:
        return 2

    def eos_id(self) -> int:
        return 1

    def pad_id(self) -> int:
        return 0
