"""An examination in the files that EleutherAI's lm-evaluation-harness writes: `results_<time>.json` with the figures,
`samples_<task>_<time>.jsonl` with a line an answer, in a directory named after the model.

The shape is that of its version 0.4.13: the names and types of `lm_eval/result_schema.py`, the files' names, hashes and
layout of `lm_eval/loggers/evaluation_tracker.py`. The evalset is one task without examples in the prompt, a checkpoint
a model, each judge a metric whose value is its mean; the output is judged whole, which the harness calls the filter
`none`. Items that were skipped are not among the samples and make `effective` smaller than `original`.

The same examination gives the same bytes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from math import fsum, sqrt
from pathlib import PurePosixPath
from typing import Any

from training.canonical import sha256_hex
from training.renderers import END_OF_TURN, render_prompt
from training.result_rows import ResultRow

FILTER = "none"
MAX_NAME = 80  # characters of a run's or an evalset's name in a file's name
LOSS = "loss"  # of the reference; every other metric is a judge's
DOC = ("id", "prompt", "expected_answer", "category", "difficulty", "section")


@dataclass(frozen=True)
class Examined:
    """One checkpoint's answers to one evalset; `rows` answer `items` one by one.

    `record` says what the run was given, as run.json does: run_id, engine, recipe, instruction, config, seed and, where
    they are known, code_version, libraries and machine.
    """

    run_name: str
    record: Mapping[str, Any]
    step: int
    evalset: str
    evalset_sha256: str
    items: Sequence[Mapping[str, Any]]
    rows: Sequence[ResultRow]
    judges: Mapping[str, str]  # name and version
    at: datetime

    @cached_property
    def model(self) -> str:
        """The name of the checkpoint, as a directory can have it: no two checkpoints share one."""
        return f"{_safe(self.run_name)}-{str(self.record['run_id'])[-8:]}-step-{self.step}"

    @cached_property
    def task(self) -> str:
        return re.sub(r"\W", "_", self.evalset, flags=re.ASCII)[:MAX_NAME]

    @cached_property
    def time(self) -> str:
        """When it was examined, as the harness names files after it."""
        return self.at.astimezone(UTC).replace(tzinfo=None).isoformat().replace(":", "-")

    @cached_property
    def answered(self) -> list[tuple[int, Mapping[str, Any], ResultRow]]:
        """Place in the evalset, item and row of all that were not skipped."""
        pairs = enumerate(zip(self.items, self.rows, strict=True))
        return [(place, item, row) for place, (item, row) in pairs if row["correct"] is not None]

    @cached_property
    def scores(self) -> list[dict[str, float]]:
        """Of each answer, the metrics that every answer has: a mean over some of them would pass for one over all."""
        found = [_scores(row) for _, _, row in self.answered]
        names = [name for name in (found[0] if found else {}) if all(name in scores for scores in found)]
        return [{name: scores[name] for name in names} for scores in found]

    @cached_property
    def metrics(self) -> list[str]:
        return list(self.scores[0]) if self.scores else []


def lm_eval_files(examined: Examined) -> dict[PurePosixPath, str]:
    """The two files by their paths below the directory that holds all models."""
    directory, samples = PurePosixPath(examined.model), list(samples_of(examined))
    lines = "".join(f"{json.dumps(sample, ensure_ascii=False)}\n" for sample in samples)
    results = json.dumps(results_of(examined, samples), indent=2, ensure_ascii=False)
    return {
        directory / f"results_{examined.time}.json": results,
        directory / f"samples_{examined.task}_{examined.time}.jsonl": lines,
    }


def samples_of(examined: Examined) -> Iterator[dict[str, Any]]:
    """A line of the samples file for every answer."""
    given, asked = examined.record, _generation(examined.record["config"]["eval"])
    for (place, item, row), scores in zip(examined.answered, examined.scores, strict=True):
        doc = {name: item[name] for name in DOC if name in item}
        prompt, target = render_prompt(item["prompt"], given["instruction"] or ""), item["expected_answer"]
        yield {
            "doc_id": place,
            "doc": doc,
            "target": target,
            "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": asked}},
            "resps": [[row["output"]]],
            "filtered_resps": [row["output"]],
            "filter": FILTER,
            "metrics": examined.metrics,
            "doc_hash": sha256_hex(json.dumps(doc, indent=2, ensure_ascii=False)),
            "prompt_hash": sha256_hex(prompt),
            "target_hash": sha256_hex(target),
            **scores,
        }


def results_of(examined: Examined, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The results file; `samples` are those of the same examination."""
    task, given = examined.task, examined.record
    hashes = "".join(sample["doc_hash"] + sample["prompt_hash"] + sample["target_hash"] for sample in samples)
    return {
        "results": {task: _figures(examined)},
        "group_subtasks": {},
        "configs": {task: _task(examined)},
        "versions": {task: examined.evalset_sha256[:12]},
        "n-shot": {task: 0},
        "higher_is_better": {task: {name: name != LOSS for name in examined.metrics}},
        "n-samples": {task: {"original": len(examined.items), "effective": len(examined.answered)}},
        "config": _model(examined),
        "git_hash": given.get("code_version"),
        "date": examined.at.timestamp(),
        "pretty_env_info": _environment(given),
        "transformers_version": "N/A",
        "lm_eval_version": "N/A",
        "upper_git_hash": None,
        "max_length": given["config"]["data"]["max_length"],
        "task_hashes": {task: sha256_hex(hashes)},
        "model_source": "tunixrt",
        "model_name": examined.model,
        "model_name_sanitized": examined.model,
        "system_instruction": given["instruction"] or None,
        "system_instruction_sha": sha256_hex(given["instruction"]) if given["instruction"] else None,
        "fewshot_as_multiturn": False,
        "chat_template": None,  # the prompts of the samples have their turns already
        "chat_template_sha": None,
        "total_evaluation_time_seconds": None,  # is measured for both stages together
    }


def _figures(examined: Examined) -> dict[str, Any]:
    """Each metric's mean and standard error under the harness's keys."""
    figures: dict[str, Any] = {"name": examined.task, "alias": examined.evalset, "sample_len": len(examined.answered)}
    for name in examined.metrics:
        values = [scores[name] for scores in examined.scores]
        figures[f"{name},{FILTER}"] = fsum(values) / len(values)
        figures[f"{name}_stderr,{FILTER}"] = _standard_error(values)
    return figures


def _standard_error(values: Sequence[float]) -> float | str:
    """Of the mean, from the sample's standard deviation; the harness says "N/A" of a single value."""
    if len(values) < 2:
        return "N/A"
    mean = fsum(values) / len(values)
    return sqrt(fsum((value - mean) ** 2 for value in values) / (len(values) - 1)) / sqrt(len(values))


def _task(examined: Examined) -> dict[str, Any]:
    """The task as the harness describes its own, with what an evalset is known by as metadata."""
    metrics = [{"metric": name, "aggregation": "mean", "higher_is_better": name != LOSS} for name in examined.metrics]
    return {
        "task": examined.task,
        "task_alias": examined.evalset,
        "dataset_path": None,
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{expected_answer}}",
        "unsafe_code": False,
        "description": "",
        "target_delimiter": "",
        "fewshot_delimiter": "\n\n",
        "num_fewshot": 0,
        "metric_list": metrics,
        "output_type": "generate_until",
        "generation_kwargs": _generation(examined.record["config"]["eval"]),
        "repeats": 1,
        "should_decontaminate": False,
        "metadata": {
            "version": examined.evalset_sha256[:12],
            "evalset": examined.evalset,
            "evalset_sha256": examined.evalset_sha256,
            "judges": dict(sorted(examined.judges.items())),
        },
    }


def _model(examined: Examined) -> dict[str, Any]:
    """What answered, and how it was asked."""
    given, model = examined.record, examined.record["config"]["model"]
    arguments = {
        "model": examined.model,
        "run": examined.run_name,
        "run_id": str(given["run_id"]),
        "checkpoint_step": examined.step,
        "engine": given["engine"],
        "recipe": given["recipe"],
        "config_sha256": given["config_sha256"],
        **{name: model[name] for name in ("family", "size", "weights") if model.get(name)},
    }
    return {
        "model": "tunixrt",
        "model_args": arguments,
        "model_dtype": "float32",  # whatever it was trained in
        "batch_size": None,
        "batch_sizes": [],
        "device": None,
        "use_cache": None,
        "limit": None,
        "bootstrap_iters": 0,
        "gen_kwargs": _generation(given["config"]["eval"]),
        "random_seed": given["seed"],
        "numpy_seed": None,
        "torch_seed": None,
        "fewshot_seed": None,
    }


def _generation(asked: Mapping[str, Any]) -> dict[str, Any]:
    """How answers were generated, in the harness's words."""
    draws = asked.get("temperature") or 0
    words: dict[str, Any] = {"until": [END_OF_TURN], "max_gen_toks": asked["max_new_tokens"], "do_sample": draws > 0}
    drawn = {name: asked[name] for name in ("top_k", "top_p") if asked.get(name)} if draws else {}
    return words | {"temperature": float(draws)} | drawn


def _scores(row: ResultRow) -> dict[str, float]:
    scores = {name: float(judgement["score"]) for name, judgement in sorted(row["judges"].items())}
    return scores | ({LOSS: float(row["loss"])} if row.get("loss") is not None else {})


def _environment(record: Mapping[str, Any]) -> str:
    """What computed it, a line a fact."""
    facts = {**(record.get("libraries") or {}), **(record.get("machine") or {})}
    return "\n".join(f"{name}: {value}" for name, value in facts.items()) or "N/A"


def _safe(name: str) -> str:
    """A name that cannot lead out of a directory and that the harness leaves as it is."""
    return re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:MAX_NAME].lstrip(".-") or "run"
