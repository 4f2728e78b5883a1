"""Two answers to one item, step by step beside each other. Pure."""

from typing import NamedTuple

from runs.reading import Step, first_wrong
from training.judges import same_answer
from training.marking import Piece, marked
from training.step_diff import Kind, StepPair, diff_steps

MAX_MARKED = 50  # pairs of steps, the first that differ, whose words are compared


class Side(NamedTuple):
    """One of the two: its steps as they were read, and what it answered."""

    steps: list[Step]
    answer: str | None
    correct: bool | None

    @property
    def first_wrong(self) -> int | None:
        return first_wrong(self.steps)

    @property
    def mistake(self) -> Step | None:
        """The first wrong step."""
        return None if self.first_wrong is None else self.steps[self.first_wrong]

    @property
    def is_checked(self) -> bool:
        """Whether any of its steps could be checked."""
        return any(step.ok is not None for step in self.steps)


class Cell(NamedTuple):
    """A step in the table: its number from 1, its words with those that differ marked, and what the check said."""

    number: int
    pieces: list[Piece]
    step: Step


class Row(NamedTuple):
    """What became of one step, and it on both sides, where it stands there."""

    kind: Kind
    base: Cell | None
    other: Cell | None
    is_first: bool  # whether the two part here

    @property
    def cells(self) -> tuple[Cell | None, Cell | None]:
        return self.base, self.other


class AnswerDiff(NamedTuple):
    """Every step of both answers in one row each; where they part, and whether they come to the same."""

    base: Side
    other: Side
    rows: list[Row]
    first_difference: int | None  # index of a row
    left_out: tuple[int, int]

    @property
    def answer_changed(self) -> bool:
        """Whether the answers differ in more than their dress; none and none are the same."""
        base, other = self.base.answer, self.other.answer
        return base != other if base is None or other is None else not same_answer(base, other)

    @property
    def parting(self) -> Row | None:
        return None if self.first_difference is None else self.rows[self.first_difference]

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.base, self.other

    def to_dict(self) -> dict:
        """The diff for JSON: places from 0."""
        return {
            "steps": [_row_dict(row) for row in self.rows],
            "first_difference": self.first_difference,
            "first_wrong": {"base": self.base.first_wrong, "other": self.other.first_wrong},
            "answer_changed": self.answer_changed,
            "left_out": {"base": self.left_out[0], "other": self.left_out[1]},
        }


def diff_answers(base: Side, other: Side) -> AnswerDiff:
    """What became of each step of the base in the other, and the other way round."""
    diff = diff_steps([step.text for step in base.steps], [step.text for step in other.steps])
    first, differing = diff.first_difference, 0
    rows = []
    for at, pair in enumerate(diff.pairs):
        differing += pair.kind != "same"
        rows.append(_row(pair, base, other, by_word=differing <= MAX_MARKED, is_first=at == first))
    return AnswerDiff(base, other, rows, first, diff.left_out)


def _row(pair: StepPair, base: Side, other: Side, *, by_word: bool, is_first: bool) -> Row:
    left = None if pair.base is None else base.steps[pair.base]
    right = None if pair.other is None else other.steps[pair.other]
    texts = [step.text if step else "" for step in (left, right)]
    if left and right and by_word and pair.kind not in ("same", "moved"):
        ours, theirs = marked(*texts)
    else:
        ours, theirs = ([Piece(text, False)] for text in texts)
    return Row(pair.kind, _cell(left, pair.base, ours), _cell(right, pair.other, theirs), is_first)


def _cell(step: Step | None, place: int | None, pieces: list[Piece]) -> Cell | None:
    return None if step is None or place is None else Cell(place + 1, pieces, step)


def _row_dict(row: Row) -> dict:
    base, other = (cell and {"i": cell.number - 1, **cell.step._asdict()} for cell in row.cells)
    return {"kind": row.kind, "base": base, "other": other}
