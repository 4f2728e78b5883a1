"""The files that an examination leaves, without a model: every answer is what the caller says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.canonical import canonical_json
from training.files import write_atomic, write_json_atomic
from training.judges import judge_output, judge_versions
from training.results import compare, decide, delta_report, summarise

Right = Callable[[int], bool | str]  # of the item at this index: whether it is answered rightly, or what is answered


def write_files(
    directory: Path, items: list[dict], *, recipe: str, before: Right, after: Right, step: int, **about: Any
) -> None:
    """Rows, report and, last, the summary; `about` is what it says of run and evalset."""
    stages = [answered(items, recipe, right) for right in (before, after)]
    for name, rows in zip(("before", "after"), stages, strict=True):
        write_atomic(directory / f"eval_{name}.jsonl", "".join(canonical_json(row) + "\n" for row in rows))
    earlier, later = map(summarise, stages)
    summary = {
        **about,
        "checkpoint_step": step,
        **later,
        "judges": judge_versions(),
        "generated_tokens": 9 * len(items),
        "wall_time_s": 1.5,
        "before": {name: earlier[name] for name in ("metrics", "intervals")},
        "comparison": compare(*stages).to_dict(),
        **decide(*stages, items).to_dict(),
    }
    write_atomic(directory / "delta_report.md", delta_report(*stages, title="test", items=items))
    write_json_atomic(directory / "eval.json", summary)


def answered(items: list[dict], recipe: str, right: Right) -> list[dict]:
    """The rows of one stage."""
    return [_row(item, recipe, right(i)) for i, item in enumerate(items)]


def _row(item: dict, recipe: str, right: bool | str) -> dict:
    steps = "".join(f"{i}. {step['content']}\n" for i, step in enumerate(item["steps"], start=1))
    guess, worked = "Reasoning:\n1. a guess\nAnswer: no", f"Reasoning:\n{steps}Answer: {item['expected_answer']}"
    output = right if isinstance(right, str) else worked if right else guess
    question = {name: item[name] for name in ("id", "prompt", "expected_answer")}
    verdict = judge_output(item, output, recipe)
    return {
        **question,
        "output": output,
        **verdict,
        "output_tokens": 9,
        "finish_reason": "stop",
        "loss": 1.5 - verdict["correct"],
    }
