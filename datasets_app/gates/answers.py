"""Gates that look at answers: what else the same prompt is answered with, and what is there twice."""

from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from datasets_app.gates.first_seen import FirstSeen
from datasets_app.gates.gate import Finding, Gate, Row, Taught
from training import judges, splits


class ConflictingAnswers(Gate):
    """Prompts are told apart as splits do it, answers as judges do it: 4 and 4.0 are one answer."""

    name = "conflicting_answers"
    rule = "no prompt has two answers"

    def __init__(self, taught: Taught):
        super().__init__(taught)
        self._prompts = FirstSeen()
        self._answers = array("q")  # of every row
        self._contested = array("q")  # where the prompts stood first, once a finding

    def find(self, rows: Sequence[Row]) -> Iterator[Finding]:
        answers = [hash(meaning(row["final_answer"])) for row in rows]
        self._answers.extend(answers)
        for index, earlier in self._prompts.again(hash(splits.normalise(row["prompt"])) for row in rows):
            if self._answers[earlier] != answers[index]:
                self._contested.append(earlier)
                why = f"answers its prompt otherwise than the row at position {earlier}"
                yield Finding(rows[index]["id"], why, {"position": earlier})

    def stats(self) -> dict[str, Any]:
        return {"conflicting_prompts": len(np.unique(np.array(self._contested)))}


class Repeats(Gate):
    """Rows are the same when prompt, steps and answer are, to the letter; types of steps and metas may differ."""

    name = "repeats"
    rule = "no row is there twice"

    def __init__(self, taught: Taught):
        super().__init__(taught)
        self._contents = FirstSeen()

    def find(self, rows: Sequence[Row]) -> Iterator[Finding]:
        texts = self.taught.texts(rows).taught
        for index, earlier in self._contents.again(map(hash, map(_content, rows, texts))):
            why = f"says what the row at position {earlier} says"
            yield Finding(rows[index]["id"], why, {"position": earlier})


def meaning(answer: str) -> str:
    """A text that two answers share just when `training.judges.same_answer` takes them for the same."""
    answer = answer.strip()
    return _short_meaning(answer) if len(answer) <= judges.MAX_NUMBER else judges.normalise(answer)


@lru_cache(maxsize=10_000)
def _short_meaning(answer: str) -> str:
    number = judges.number(answer)
    return judges.normalise(answer) if number is None else f"\0{number}"


def _content(row: Row, text: str) -> tuple[str | int, ...]:
    """The text of a row and where it is cut: most steps have no lines of their own, so that one number says it all."""
    prompt, steps = len(row["prompt"]), row["steps"]
    if text.count("\n", prompt) == len(steps) + 1:
        return text, prompt
    return text, prompt, *(len(step["content"]) for step in steps)
