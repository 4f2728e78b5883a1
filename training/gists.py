"""What a step says, whatever it looks like: its numbers by their values, its signs by their meaning, its words.

Spaces, case, brackets, `3×4` and `3 * 4`, `1,000` and `1000` make no difference. One pass, in linear time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from training.arithmetic.tokens import SIGNS, Token, read_number, read_power, read_tokens

MAX_PIECES = 64  # by which two steps are alike: of a longer one the beginning speaks for the whole

SAID = {
    "+": "plus add adds adding added",
    "-": "minus subtract subtracts subtracting subtracted",
    "*": "times multiply multiplies multiplying multiplied",
    "/": "divide divides dividing divided",
}
SPOKEN = {word: sign for sign, words in SAID.items() for word in words.split()}
WEIGHTS = {"number": 2, "sign": 2, "said": 2, "word": 1}  # brackets and punctuation say nothing
WORDY = ("word", "note", "join")
OPERANDS = ("number", "power", "percent", "money", "close")
OPENING = ("number", "open", "money", "sign")
EDGE = Token("stop", "", 0, 0, True)


class Atom(NamedTuple):
    """One piece. `kind`: number, sign, said (a sign in words), word or mark; `value` in one spelling."""

    kind: str
    value: str


class Gist(NamedTuple):
    """What one step says. Steps of equal `sense` are the same; `said` holds its pieces, the second "3" apart from the
    first, with their weights. `written`: whether its signs are written, as in a sum, or only said."""

    sense: str
    numbers: tuple[str, ...]
    signs: tuple[str, ...]
    written: bool
    said: dict[tuple[Atom, int], int]


def gist_of(text: str, most: int) -> Gist:
    """What a step says; of one longer than `most` characters the rest is compared as it is."""
    atoms = [*_atoms(text[:most]), *_rest(text[most:])]
    written = tuple(atom.value for atom in atoms if atom.kind == "sign")
    return Gist(
        sense=" ".join(atom.value for atom in atoms),
        numbers=tuple(atom.value for atom in atoms if atom.kind == "number"),
        signs=written or tuple(atom.value for atom in atoms if atom.kind == "said"),
        written=bool(written),
        said=_numbered([atom for atom in atoms if atom.kind in WEIGHTS][:MAX_PIECES]),
    )


def _rest(text: str) -> list[Atom]:
    """What is not read counts as one number if it may hold some."""
    return [Atom("number" if any(map(str.isdigit, text)) else "mark", text)] if text else []


def _numbered(atoms: Sequence[Atom]) -> dict[tuple[Atom, int], int]:
    """Each piece with how many like it stand before it, and what it weighs."""
    seen: Counter[Atom] = Counter()
    said = {}
    for kind, value in atoms:
        atom = Atom("sign" if kind == "said" else kind, value)
        said[atom, seen[atom]] = WEIGHTS[kind]
        seen[atom] += 1
    return said


def _atoms(text: str) -> Iterator[Atom]:
    tokens = list(read_tokens(text))
    negative = False
    for before, token, after in zip([EDGE, *tokens], tokens, [*tokens[1:], EDGE], strict=False):
        if token.kind == "percent" and before.kind == "number":
            continue  # it was read with its number
        if token.kind == "number":
            yield _number(token.text, negative=negative, percent=after.kind == "percent")
        elif token.kind == "power":
            number = read_power(token.text)
            yield from (Atom("sign", "^"), Atom("number", str(number.value) if number else token.text))
        elif token.kind in ("sign", "cross"):
            sign = "*" if token.kind == "cross" else SIGNS.get(token.text, token.text)
            negative = sign == "-" and _is_unary(before, token, after)
            if not negative:
                yield Atom("sign" if _is_sign(before, token, after) else "mark", sign)
            continue
        elif token.kind in WORDY:
            word = token.text.casefold()
            yield Atom("said", SPOKEN[word]) if word in SPOKEN else Atom("word", word)
        else:
            yield Atom("mark", token.text)
        negative = False


def _number(text: str, *, negative: bool, percent: bool) -> Atom:
    """A number by its value; a time, a date, a code or an endless one by its text."""
    number = read_number(text)
    if number is None:
        return Atom("number", f"{'-' * negative}{text}{'%' * percent}")
    value = -number.value if negative else number.value
    return Atom("number", str(value / 100 if percent else value))


def _is_unary(before: Token, token: Token, after: Token) -> bool:
    """Whether a minus belongs to the number behind it, as in `= -5`."""
    follows = before.kind not in OPERANDS and (before.kind not in WORDY or token.spaced)
    return follows and after.kind == "number" and not after.spaced


def _is_sign(before: Token, token: Token, after: Token) -> bool:
    """Whether a sign works something out: the marks of a list and the dashes of prose do not."""
    if before.kind in WORDY and token.text in "–—":
        return False
    return (before.kind in OPERANDS and after.kind in (*OPENING, *WORDY)) or (
        before.kind in WORDY and after.kind in OPENING
    )
