"""The same work by PyTorch and transformers: a bare loop, the same compiled, and TRL's trainer."""

import tempfile
import time
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
import transformers

from training.bench.material import published, useful_tokens
from training.bench.wire import Arrays, Desk, Round, cores, cut, timed_answers
from training.published_names import EMBEDDING, HEAD
from training.shapes import ModelShape

transformers.logging.set_verbosity_error()


def training(job: dict, arrays: Arrays, desk: Desk) -> None:
    """A bare loop. The rows of an update are taken some at a time, each part as long as its longest row."""
    model = model_of(job, arrays)
    optimizer = adamw(model, job["training"])
    loss_of = partial(_loss, model)
    if job.get("compile"):
        loss_of = torch.compile(loss_of)
    number = torch.bfloat16 if job.get("bfloat16") else None
    precision = partial(torch.autocast, job["device"], number) if number else nullcontext
    updates = [list(_parts(job, arrays, update)) for update in range(len(arrays["tokens"]))]
    desk.ready("torch", "transformers")

    def update(parts: list[tuple[Any, ...]]) -> torch.Tensor:
        total = torch.zeros((), device=job["device"])
        for part in parts:
            with precision():
                loss = loss_of(*part)
            loss.backward()
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(model.parameters(), job["training"]["grad_clip"])
        optimizer.step()
        optimizer.zero_grad()
        return total

    def one_round() -> Round:
        begin = time.perf_counter()
        losses = [update(parts) for parts in updates]
        curve = [loss.item() for loss in losses]
        return {"seconds": time.perf_counter() - begin, "done": useful_tokens(arrays), "losses": curve}

    desk.serve(one_round)


def trl(job: dict, arrays: Arrays, desk: Desk) -> None:
    """`SFTTrainer` on rows in tokens: one long training that waits for its turn after each round's updates."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    updates, batch, _ = arrays["tokens"].shape
    wanted = job["training"]
    model, losses = model_of(job, arrays), []
    optimizer = adamw(model, wanted)

    class Trainer(SFTTrainer):
        def compute_loss(self, *given: Any, **named: Any) -> Any:
            loss = super().compute_loss(*given, **named)
            losses.append(loss.detach())
            return loss

    class Turns(transformers.TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step % updates == 0:
                if not desk.asked():
                    raise SystemExit
                losses.clear()
                self.begin = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step % updates == 0:
                curve = [loss.item() for loss in losses]
                seconds = time.perf_counter() - self.begin
                desk.answer({"seconds": seconds, "done": useful_tokens(arrays), "losses": curve})

    with tempfile.TemporaryDirectory() as directory:
        options = SFTConfig(
            output_dir=directory,
            max_steps=10**6,
            per_device_train_batch_size=batch,
            max_grad_norm=wanted["grad_clip"],
            train_sampling_strategy="sequential",
            max_length=None,
            gradient_checkpointing=False,
            use_cpu=job["device"] == "cpu",
            bf16=bool(job.get("bfloat16")),
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            dataset_kwargs={"skip_prepare_dataset": True},
        )
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
        trainer = Trainer(
            model,
            options,
            train_dataset=Dataset.from_list(_rows(arrays)),
            processing_class=_tokenizer(),
            optimizers=(optimizer, schedule),
            callbacks=[Turns()],
        )
        desk.ready("trl", "transformers", "torch")
        trainer.train()


def generation(job: dict, arrays: Arrays, desk: Desk) -> None:
    """transformers' own greedy generation, all prompts in one batch, padded on the left."""
    model = model_of(job, arrays).eval()
    longest = max(map(len, job["prompts"]))
    tokens = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in job["prompts"]], device=job["device"])
    mask, stop_id = (tokens != 0).long(), job["stop_id"]
    desk.ready("torch", "transformers")

    def answers() -> list[list[int]]:
        with torch.inference_mode():
            whole = model.generate(
                tokens,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=job["max_new_tokens"],
                suppress_tokens=[0],
                eos_token_id=stop_id,
                pad_token_id=0,
            )
        return [cut(row, stop_id) for row in whole[:, longest:].tolist()]

    desk.serve(partial(timed_answers, answers))


def model_of(job: dict, arrays: Arrays) -> Any:
    torch.set_num_threads(cores())
    model = transformers_model(ModelShape(**job["shape"]), arrays)
    return model.to(job["device"], torch.float32)


def transformers_model(shape: ModelShape, arrays: Arrays) -> Any:
    """`Gemma3ForCausalLM` of this shape with our parameters (`params/block_0/mlp/down`, …) in it."""
    config = transformers.Gemma3TextConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        query_pre_attn_scalar=shape.query_scale,
        sliding_window=shape.window,
        sliding_window_pattern=shape.global_every,
        rms_norm_eps=shape.norm_epsilon,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": shape.local_theta},
            "full_attention": {"rope_type": "default", "rope_theta": shape.global_theta},
        },
        attn_implementation="sdpa",
    )
    model = transformers.Gemma3ForCausalLM(config)
    weights = {name: torch.tensor(value) for name, value in published(shape, arrays).items()}
    model.load_state_dict(weights | {HEAD: weights[f"model.{EMBEDDING}"]})
    return model


def adamw(model: Any, wanted: dict) -> torch.optim.Optimizer:
    rate = wanted["learning_rate"]
    return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.0, foreach=True)


def _loss(model: Any, tokens: Any, targets: Any, weights: Any) -> Any:
    logits = model(tokens, use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
    return (losses * weights.flatten()).sum()


def _parts(job: dict, arrays: Arrays, update: int) -> Any:
    """Tokens, targets, and each target's weight in the update's mean loss, some rows at a time."""
    trained = arrays["loss_mask"][update].sum()
    for first in range(0, arrays["tokens"].shape[1], job["rows_at_once"]):
        rows = slice(first, first + job["rows_at_once"])
        longest = int(np.count_nonzero(arrays["segments"][update, rows], axis=1).max())
        tokens, targets, mask = (arrays[name][update, rows, :longest] for name in ("tokens", "targets", "loss_mask"))
        given = (tokens.astype(np.int64), targets.astype(np.int64), mask / trained)
        yield tuple(torch.tensor(array, device=job["device"]) for array in given)


def _rows(arrays: Arrays) -> list[dict[str, list[int]]]:
    """The sequences of all updates with their labels: a token itself where the one before it is trained on it."""
    rows = []
    for tokens, mask in zip(*(np.concatenate(arrays[name]) for name in ("tokens", "loss_mask")), strict=True):
        labels = np.where(np.pad(mask[:-1], (1, 0)) > 0, tokens, -100)
        rows.append({"input_ids": tokens.tolist(), "labels": labels.tolist()})
    return rows


def _tokenizer() -> Any:
    """One that is never asked for anything but its pad token."""
    from tokenizers import Tokenizer, models

    pad, eos = "<pad>", "<eos>"
    made = Tokenizer(models.WordLevel({pad: 0, eos: 1}, unk_token=pad))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token=pad, eos_token=eos)
