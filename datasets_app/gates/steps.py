"""Gates that look at the response of a row as it will be taught."""

from collections.abc import Iterable, Iterator, Sequence

from datasets_app.gates.gate import Finding, Gate, Row
from training.judges import judge_form, judge_output
from training.renderers import END_OF_TURN, START_OF_TURN, plain_response

SHORT = 10_000  # characters of a row whose response no judge cuts


class EmptySteps(Gate):
    name = "empty_steps"
    rule = "no step is empty"

    def find(self, rows: Sequence[Row]) -> Iterator[Finding]:
        for row in rows:
            for number, step in enumerate(row["steps"], start=1):
                content = step["content"]
                # Most steps begin or end with a letter or a digit: only the others are gone through.
                if not (content[:1].isalnum() or content[-1:].isalnum() or any(map(str.isalnum, content))):
                    yield Finding(row["id"], f"step {number} has no letter or digit", {"step": number})
                    break


class AnswerReadsBack(Gate):
    """A reference that the judge of answers calls wrong can teach nobody to be right."""

    name = "answer_reads_back"
    rule = "the answer that is read from the response is judged right"

    def find(self, rows: Sequence[Row]) -> Iterator[Finding]:
        for row, text in zip(rows, self.taught.texts(rows).taught, strict=True):
            if not _surely_read(row["final_answer"], text):
                item = {"expected_answer": row["final_answer"]}
                verdict = judge_output(item, plain_response(row, self.taught.recipe), self.taught.recipe, judges=[])
                if not verdict["correct"]:
                    yield Finding(row["id"], "the judge takes the row's own answer for wrong")


class RecipeMarks(Gate):
    """Turn tokens in a text, or lines in a step that read as the recipe's own: a numbered line, an answer."""

    name = "recipe_marks"
    rule = "no text holds the marks that the recipe writes around texts"

    def find(self, rows: Sequence[Row]) -> Iterable[Finding]:
        for row, text in zip(rows, self.taught.texts(rows).taught, strict=True):
            if "<" in text and (mark := next((mark for mark in (START_OF_TURN, END_OF_TURN) if mark in text), None)):
                yield Finding(row["id"], f"holds {mark} as text")
            elif "<" in text or _has_lines(row, text):
                item = {"expected_answer": row["final_answer"]}
                response = plain_response(row, self.taught.recipe)
                judgement = judge_form(item, response, self.taught.recipe)
                if judgement.score < 1:
                    yield Finding(row["id"], f"its own response {judgement.reason}")


def _surely_read(answer: str, text: str) -> bool:
    """Whether an answer is one line of a short row without tags: those are read back under every recipe."""
    return answer.isprintable() and bool(answer.strip()) and "<" not in text and len(text) <= SHORT


def _has_lines(row: Row, text: str) -> bool:
    """Whether the steps or the answer break into lines within: in `text` one stands before each of them."""
    return text.count("\n", len(row["prompt"])) > len(row["steps"]) + 1
