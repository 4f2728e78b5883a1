"""The other side of `bench_jax`: the same work by PyTorch and transformers, in an environment of their own.

`Peer` is what the benchmark holds; it starts `python -m training.bench_peers JOB.npz` there, which names its versions
and then answers each line on standard input with one round. torch is imported inside functions only.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self, TextIO, cast

import numpy as np

from training.shapes import ModelShape

ROOT = Path(__file__).parents[1]
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"

Arrays = Mapping[str, np.ndarray]
Round = dict[str, Any]  # "seconds", what was "done" in them, and the "losses" or "tokens" that came out


class PeerAbsent(Exception):
    """There is nobody to compare with; the message says why."""


class Peer:
    """transformers at work on one job, in a process of its own that waits between rounds."""

    def __init__(self, job: dict, arrays: Arrays):
        self._job, self._arrays = job, arrays

    def __enter__(self) -> Self:
        """Raises PeerAbsent when the environment is missing or the process does not come up."""
        if not PEER_PYTHON.exists():
            raise PeerAbsent("not installed; `make peers` installs it")
        self._directory = tempfile.TemporaryDirectory()
        file = Path(self._directory.name) / "job.npz"
        np.savez(file, job=np.array(json.dumps(self._job)), allow_pickle=False, **self._arrays)
        command = [str(PEER_PYTHON), "-m", "training.bench_peers", str(file)]
        self._process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._ask, self._answers = cast(TextIO, self._process.stdin), cast(TextIO, self._process.stdout)
        self.versions = self._read()["versions"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its input, which ends it
        self._directory.cleanup()

    def round(self) -> Round:
        print(file=self._ask, flush=True)
        return self._read()

    def _read(self) -> dict:
        line = self._answers.readline()
        if not line:
            raise PeerAbsent(f"its process ended with exit code {self._process.wait()}")
        return json.loads(line)


def main(file: Path) -> None:
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    with np.load(file) as stored:
        arrays = dict(stored)
    job = json.loads(str(arrays.pop("job")))
    model = transformers_model(ModelShape(**job["shape"]), arrays)
    prepare = {"train": _training, "generate": _generation}[job["work"]]
    one_round = prepare(model, arrays, job)
    _say({"versions": {"torch": torch.__version__, "transformers": transformers.__version__}})
    for _ in sys.stdin:
        _say(one_round())


def transformers_model(shape: ModelShape, arrays: Arrays) -> Any:
    """`Gemma3ForCausalLM` of this shape with our parameters (`params/block_0/mlp/down`, …) in it."""
    import torch
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
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
    model = Gemma3ForCausalLM(config)
    weights = {name: torch.tensor(value) for name, value in _published_names(shape, arrays).items()}
    model.load_state_dict(weights | {"lm_head.weight": weights["model.embed_tokens.weight"]})
    return model


def _published_names(shape: ModelShape, arrays: Arrays) -> dict[str, np.ndarray]:
    """Our parameters under the published names, whose matrices are [out, in]."""
    named = {
        "model.embed_tokens.weight": arrays["params/embedding"],
        "model.norm.weight": arrays["params/final_norm/weight"],
    }
    for layer in range(shape.layers):
        ours, theirs = f"params/block_{layer}", f"model.layers.{layer}"
        qkv = np.split(arrays[f"{ours}/attention/qkv"], [shape.heads, shape.heads + shape.kv_heads], axis=1)
        gate, up = np.split(arrays[f"{ours}/mlp/gate_up"], 2, axis=1)
        for name, value in zip("qkv", qkv, strict=True):
            named[f"{theirs}.self_attn.{name}_proj.weight"] = value.reshape(shape.width, -1).T
        named |= {
            f"{theirs}.self_attn.o_proj.weight": arrays[f"{ours}/attention/out"].reshape(-1, shape.width).T,
            f"{theirs}.self_attn.q_norm.weight": arrays[f"{ours}/attention/query_norm/weight"],
            f"{theirs}.self_attn.k_norm.weight": arrays[f"{ours}/attention/key_norm/weight"],
            f"{theirs}.mlp.gate_proj.weight": gate.T,
            f"{theirs}.mlp.up_proj.weight": up.T,
            f"{theirs}.mlp.down_proj.weight": arrays[f"{ours}/mlp/down"].T,
            f"{theirs}.input_layernorm.weight": arrays[f"{ours}/attention_norm/weight"],
            f"{theirs}.post_attention_layernorm.weight": arrays[f"{ours}/after_attention_norm/weight"],
            f"{theirs}.pre_feedforward_layernorm.weight": arrays[f"{ours}/mlp_norm/weight"],
            f"{theirs}.post_feedforward_layernorm.weight": arrays[f"{ours}/after_mlp_norm/weight"],
        }
    return named


def _training(model: Any, arrays: Arrays, job: dict) -> Callable[[], Round]:
    """A bare loop, rows padded on the right to the longest of each part of `rows_at_once`."""
    import torch

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=job["learning_rate"], betas=(0.9, 0.95), weight_decay=0.0, foreach=True
    )
    trained = float(arrays["loss_mask"].sum())
    parts = []
    for first in range(0, len(arrays["tokens"]), job["rows_at_once"]):
        rows = slice(first, first + job["rows_at_once"])
        longest = int(np.count_nonzero(arrays["segments"][rows], axis=1).max())
        parts.append([torch.tensor(arrays[name][rows, :longest]) for name in ("tokens", "targets", "loss_mask")])

    def update() -> float:
        total = 0.0
        for tokens, targets, loss_mask in parts:
            logits = model(tokens, use_cache=False).logits
            losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets.long(), reduction="none")
            loss = (losses * loss_mask).sum() / trained
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), job["grad_clip"])
        optimizer.step()
        optimizer.zero_grad()
        return total

    def one_round() -> Round:
        begin = time.perf_counter()
        losses = [update() for _ in range(job["updates"])]
        return {"seconds": time.perf_counter() - begin, "done": job["done"], "losses": losses}

    return one_round


def _generation(model: Any, arrays: Arrays, job: dict) -> Callable[[], Round]:
    """transformers' own greedy generation, all prompts in one batch, padded on the left."""
    import torch

    tokens, mask = torch.tensor(arrays["tokens"]), torch.tensor(arrays["mask"])
    stop_id = job["stop_id"]
    model.eval()

    def cut(answer: list[int]) -> list[int]:
        return answer[: answer.index(stop_id)] if stop_id in answer else answer

    def one_round() -> Round:
        begin = time.perf_counter()
        with torch.inference_mode():
            whole = model.generate(
                tokens.long(),
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=job["max_new_tokens"],
                suppress_tokens=[0],
                eos_token_id=stop_id,
                pad_token_id=0,
            )
        seconds, answers = time.perf_counter() - begin, [cut(row) for row in whole[:, tokens.shape[1] :].tolist()]
        return {"seconds": seconds, "done": sum(map(len, answers)), "tokens": answers}

    return one_round


def _say(answer: dict) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
