"""What an examination showed, in figures and as a report.

A row is `{"id", "prompt", "expected_answer", "output", "answer", "correct", "judges", "output_tokens",
"finish_reason"}` and may have `loss`, the mean negative log-likelihood of its reference in nats a token. A row whose
`correct` is None was skipped.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import exp, fsum
from typing import Any

from training.comparison import Change, Comparison, compare, verdict
from training.decision import Decided, decide
from training.decision_report import decision_line, evidence_table, slices_section
from training.judges import shown_steps
from training.markdown import escape, fenced, side_by_side
from training.result_rows import ResultRow, read_results
from training.statistics import wilson_interval

__all__ = [
    "Change",
    "Comparison",
    "Decided",
    "compare",
    "decide",
    "delta_report",
    "read_results",
    "summarise",
    "verdict",
]

MAX_LOSS = 700.0  # e to a greater power is no float
SHOWN = 2000  # characters of a text that the report repeats; the results file has it whole


def summarise(rows: Sequence[ResultRow]) -> dict:
    """`{"n_items", "n_scored", "n_skipped", "metrics", "intervals"}` as in eval.json.

    A metric that nothing was measured for is None. `step_arithmetic` and `step_count` are means over the rows in which
    these judges found something to judge. `mean_steps` counts the steps shown whatever the recipe, so that two recipes
    compare; `loss` is the mean of the items' losses, `perplexity` its exponential.
    """
    scored = [row for row in rows if row["correct"] is not None]
    right = [row["correct"] for row in scored]
    formatted = [row["judges"]["format_valid"]["score"] == 1 for row in scored if "format_valid" in row["judges"]]
    loss = _mean(row["loss"] for row in scored if row.get("loss") is not None)
    return {
        "n_items": len(rows),
        "n_scored": len(scored),
        "n_skipped": len(rows) - len(scored),
        "metrics": {
            "answer_correctness": _mean(right),
            "format_valid": _mean(formatted),
            "step_arithmetic": _mean(_scores(scored, "step_arithmetic")),
            "step_count": _mean(_scores(scored, "step_count")),
            "mean_steps": _mean(len(shown_steps(row["output"])) for row in scored),
            "loss": loss,
            "perplexity": exp(loss) if loss is not None and loss < MAX_LOSS else None,
        },
        "intervals": {
            "answer_correctness": list(wilson_interval(sum(right), len(right))),
            "format_valid": list(wilson_interval(sum(formatted), len(formatted))),
        },
    }


def delta_report(
    before_rows: Sequence[ResultRow],
    after_rows: Sequence[ResultRow],
    *,
    title: str,
    items: Iterable[Mapping[str, Any]] | None = None,
) -> str:
    """Before against after on the same items, as markdown, with slices where the evalset's `items` are given.

    Raises Invalid when the two do not answer the same items.
    """
    comparison, decided = compare(before_rows, after_rows), decide(before_rows, after_rows, items)
    parts = [
        f"# {escape(title)}",
        decision_line(decided),
        verdict(comparison),
        _metrics_table(summarise(before_rows), summarise(after_rows)),
        _counts_table(comparison),
        evidence_table(decided.decision.evidence),
        *slices_section(decided.slices),
        "## Changed items" if comparison.changed else "No item changed.",
        *map(_changed_item, comparison.changed),
    ]
    return "\n\n".join(parts) + "\n"


def _scores(rows: Iterable[ResultRow], judge: str) -> Iterator[float]:
    """What a judge gave, of the rows that it found something to judge in."""
    return (row["judges"][judge]["score"] for row in rows if judge in row["judges"])


def _metrics_table(before: dict, after: dict) -> str:
    names = before["metrics"]
    rows = [f"| {name} | {_metric(before, name)} | {_metric(after, name)} |" for name in names]
    return "\n".join(["| metric (95 % interval) | before | after |", "|---|---|---|", *rows])


def _metric(summary: dict, name: str) -> str:
    value = summary["metrics"][name]
    if value is None:
        return "not measured"
    if name not in summary["intervals"]:
        return f"{value:.4g}"
    low, high = summary["intervals"][name]
    return f"{100 * value:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def _counts_table(comparison: Comparison) -> str:
    return "\n".join(
        [
            "| won | lost | kept right | kept wrong | skipped |",
            "|---|---|---|---|---|",
            f"| {comparison.won} | {comparison.lost} | {comparison.kept_right} | {comparison.kept_wrong} "
            f"| {comparison.skipped} |",
        ]
    )


def _changed_item(change: Change) -> str:
    """Question, expected answer, and the two outputs beside each other."""
    question = f"{_cut(change.base['prompt'])}\n\nexpected: {_cut(change.base['expected_answer'])}"
    outputs = side_by_side(f"before\n\n{_cut(change.base['output'])}", f"after\n\n{_cut(change.other['output'])}")
    return "\n\n".join(
        [f"### {'Won' if change.won else 'Lost'}: {escape(change.base['id'])}", fenced(question), fenced(outputs)]
    )


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}\n… {len(text) - SHOWN} more characters"


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return fsum(found) / len(found) if found else None
