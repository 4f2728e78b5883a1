"""What a right answer is, and a good output: judges by name and version, pure functions of item, output and recipe.

Every judge reads the output as any program's input: bounded, cleaned, in linear time. docs/judges.md has the rules.
"""

from collections.abc import Iterable, Mapping

from training.errors import Fault, Invalid, echo
from training.judges.answers import ANSWER_CORRECTNESS, is_right
from training.judges.dress import MAX_NUMBER, normalise, number, same_answer
from training.judges.form import FORMAT_VALID, judge_form
from training.judges.judge import Item, Judge, Judgement
from training.judges.outputs import ParsedOutput, clean_output, judged_answer, parse_output, shown_steps
from training.judges.steps import STEP_ARITHMETIC, STEP_COUNT

__all__ = [
    "JUDGES",
    "MAX_NUMBER",
    "Item",
    "Judge",
    "Judgement",
    "ParsedOutput",
    "clean_output",
    "find_judge",
    "is_right",
    "judge_changes",
    "judge_form",
    "judge_output",
    "judge_versions",
    "normalise",
    "number",
    "parse_output",
    "same_answer",
    "shown_steps",
]

JUDGES: dict[str, Judge] = {
    judge.name: judge for judge in (ANSWER_CORRECTNESS, FORMAT_VALID, STEP_ARITHMETIC, STEP_COUNT)
}


def judge_output(item: Item, output: str, recipe: str, judges: Iterable[str] | None = None) -> dict:
    """`{"answer", "correct", "judges": {name: {"version", "score", "reason"}}}` by the named judges, default all.

    A judge that finds nothing to judge is left out. Raises Invalid for a judge or a recipe that does not exist.
    """
    verdicts = {}
    for judge in map(find_judge, JUDGES if judges is None else judges):
        if judgement := judge.judge(item, output, recipe):
            verdicts[judge.name] = {"version": judge.version, **judgement._asdict()}
    answer = judged_answer(item, output, recipe)
    return {"answer": answer, "correct": is_right(item, answer), "judges": verdicts}


def find_judge(name: str) -> Judge:
    """The judge of that name; raises Invalid when there is none."""
    if name not in JUDGES:
        msg = f"{echo(name)} is no judge; use one of: {', '.join(JUDGES)}"
        raise Invalid(Fault(("judges",), msg, "unknown_judge"))
    return JUDGES[name]


def judge_versions() -> dict[str, str]:
    """Name and version of each judge of today, as `eval.json` has them."""
    return {judge.name: judge.version for judge in JUDGES.values()}


def judge_changes(judges: Mapping[str, str]) -> list[str]:
    """In words, where `judges` (name and version) are not those of today: `answer_correctness 1 → 2`."""
    today = judge_versions()
    moved = [f"{name} {judges.get(name, 'none')} → {new}" for name, new in today.items() if judges.get(name) != new]
    return moved + [f"{name} {old} → none" for name, old in judges.items() if name not in today]
