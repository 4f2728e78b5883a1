"""Whether an answer is the expected one, as a careful teacher marks it: docs/judges.md has the rules with reasons.

The cheap rules decide first, exactly and in bounded time. Where both answers are expressions that these cannot tell
apart, math-verify is asked (`prover`). What cannot be read with certainty is not right.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from training.errors import echo
from training.judges.dress import normalise
from training.judges.judge import Item, Judge, Judgement
from training.judges.listings import Listing, bare_members, read_listing
from training.judges.outputs import judged_answer
from training.judges.prover import prove
from training.judges.quantities import Quantity, read_quantity
from training.judges.units import PERCENT, asked_units, same_unit
from training.judges.words import POINTING, leaves_as_it_is, words_of
from training.judges.writing import MAX_LENGTH, plain, squeezed, unwrapped
from training.renderers import find_recipe

SAME = "the answer is the expected one"
REPEATS = "repeats the question: it is worth as much as the expected answer, and nothing was worked out"
MAX_DEPTH = 4  # of listings in listings
MAX_QUESTION = 4000  # characters of a question that are looked at
ASKING_MEMBERS = 2  # of a listing about whose members math-verify is asked: one question for each pair at most

LEAD = re.compile(
    r"(?:so |thus |therefore |hence )?(?:the |my )?(?:final |correct )?(?:answer|result) (?:is|=|:) ?:?", re.I
)
AFFIRMED, DENIED = {"yes", "true"}, {"no", "false"}
FIRST_WORD = re.compile(r"([a-z]+)(?:$|[.,;:!]| (?:it|they|he|she|there|this|that) )")
# Words that belong to mathematics; any other of two letters makes a text prose.
FUNCTIONS = re.compile(
    r"d?t?frac|sqrt|sin|cos|tan|cot|log|ln|exp|pi|theta|alpha|beta|cdot|times|left|right|pm|infty|le|ge"
)
WORD = re.compile(r"[^\W\d_]{2,}")
SIGN = re.compile(r"[-+*/^=!<>√π\\]|\d\s*[^\W\d_]|[^\W\d_]\s*[\d(]")
UNKNOWN = re.compile(r"[√π\\^!]|[^\W\d_]")  # what no date has
ROOT = re.compile(r"√ ?(\([^()]*\)|[0-9.]+|[a-z])", re.I)


def judge_answer(item: Item, output: str, recipe: str) -> Judgement:
    """1 when the answer that the output gives is the expected one."""
    answer = judged_answer(item, output, recipe)
    if answer is None:
        opening, closing = find_recipe(recipe).answer
        place = f"between `{opening}` and `{closing}`" if closing else f"after `{opening.strip()}`"
        return Judgement(0.0, f"the output ends without an answer {place}")
    return compare_answers(answer, item["expected_answer"], item.get("prompt") or "")


def is_right(item: Item, answer: str | None) -> bool:
    return answer is not None and compare_answers(answer, item["expected_answer"], item.get("prompt") or "").score == 1


def compare_answers(answer: str, expected: str, question: str = "") -> Judgement:
    """1 or 0, and by which rule. `question` is what was asked, where that is known."""
    if answer.strip() == expected.strip():
        return Judgement(1.0, SAME)
    if max(len(answer), len(expected)) > MAX_LENGTH:
        finding = (SAME, True) if normalise(answer) == normalise(expected) else NOTHING
    else:
        finding = _compare(answer, expected, question[:MAX_QUESTION])
    why, right = finding
    if right:
        return Judgement(1.0, why)
    reason = f"answered {echo(answer)}, expected {echo(expected)}"
    return Judgement(0.0, f"{reason}: {why}" if why else reason)


ANSWER_CORRECTNESS = Judge("answer_correctness", "2", judge_answer)

Finding = tuple[str, bool]  # why, and whether it is right
NOTHING: Finding = ("", False)


@lru_cache(maxsize=1024)
def _compare(answer: str, expected: str, question: str, depth: int = 0, asks: bool = True) -> Finding:
    """By the first rule that fits what is expected. `asks`: whether math-verify may be asked."""
    ours, theirs = plain(LEAD.sub("", unwrapped(answer), count=1)), plain(expected)
    if theirs_is := read_quantity(theirs, trusted=True):
        ours_is = read_quantity(ours, words_of(question) | words_of(theirs))
        return _compare_quantities(ours_is, theirs_is, question) if ours_is else NOTHING
    if _text(ours) == _text(theirs) or _points_to(ours, theirs, question):
        return SAME, True
    if normalise(theirs) in AFFIRMED | DENIED:
        return _compare_words(ours, theirs)
    listing = read_listing(theirs)
    if listing and depth < MAX_DEPTH:
        return _compare_listings(ours, listing, depth, asks)
    if asks and _is_expression(theirs) and (read_quantity(ours) or _is_expression(ours)):
        return _compare_expressions(answer, expected, question)
    return NOTHING


def _text(text: str) -> str:
    """A text without its dress. Of mathematics every sign counts: `n!` is no `n`."""
    return squeezed(text).casefold().rstrip(".") if _is_expression(text) else normalise(text)


def _points_to(ours: str, theirs: str, question: str) -> bool:
    """Whether a sentence ends in the expected text and only says, in the question's words, that this is the answer."""
    text, wanted = normalise(ours), normalise(theirs)
    before = text.removesuffix(wanted)
    if before == text or not before.endswith((" ", ":", "=")):
        return False
    return before.replace(":", " : ").split()[-1:][0] in POINTING and leaves_as_it_is(before, words_of(question))


def _compare_words(ours: str, theirs: str) -> Finding:
    """Yes and no, with or without the sentence that repeats it."""
    wanted, other = (AFFIRMED, DENIED) if normalise(theirs) in AFFIRMED else (DENIED, AFFIRMED)
    text = normalise(ours)
    if not (first := FIRST_WORD.match(text)) or first[1] not in wanted:
        return NOTHING
    others = set(re.findall(r"[a-z']+", text[first.end(1) :]))
    denies = wanted is AFFIRMED and any(word == "not" or word.endswith("n't") for word in others)
    return ("says both", False) if denies or others & other else (SAME, True)


def _compare_quantities(ours: Quantity, theirs: Quantity, question: str) -> Finding:
    if PERCENT in (ours.unit, theirs.unit):
        return _compare_percentages(ours, theirs, question)
    if ours.unit and theirs.unit and not same_unit(ours.unit, theirs.unit):
        return f"it is in {ours.unit}, not in {theirs.unit}", False
    asked = asked_units(question) if ours.unit and not theirs.unit else set()
    if asked and not any(same_unit(ours.unit, unit) for unit in asked):
        return f"it is in {ours.unit}, and the question asks for {' or '.join(sorted(asked))}", False
    return _by_value(ours, theirs, ours.value == theirs.value, question)


def _compare_percentages(ours: Quantity, theirs: Quantity, question: str) -> Finding:
    """50 % is 50 with its sign left out, and 0.5 or 1/2 of one; a whole number is never a part of one."""
    if ours.unit == theirs.unit:
        return ("the same percentage", True) if ours.value == theirs.value else NOTHING
    if theirs.unit == PERCENT:
        if ours.unit:
            return f"it is in {ours.unit}, not a percentage", False
        if ours.value == theirs.value:
            return "the same percentage without its sign", True
        return _by_value(ours, theirs, ours.is_ratio and ours.value * 100 == theirs.value, question)
    if theirs.unit:
        return f"it is a percentage, not in {theirs.unit}", False
    if ours.value == theirs.value and re.search(r"%|\bper ?cent", question, re.I):
        return "the same number, and the question asks for a percentage", True
    return _by_value(ours, theirs, ours.value == theirs.value * 100, question)


def _by_value(ours: Quantity, theirs: Quantity, same: bool, question: str) -> Finding:
    """The same number, unless it is only the question's own way to write it."""
    if same and ours.written != theirs.written and _stands_in(ours.numeral, question):
        return REPEATS, False
    return ("the same number" if same else "", same)


def _stands_in(text: str, question: str) -> bool:
    """Whether the question has this text as it is, and not within a longer sum or number."""
    begins, ends = r"(?<![\w./^*+])", r"(?![\w/^*%]|[.,][0-9])"
    return re.search(begins + re.escape(squeezed(text)) + ends, squeezed(plain(question)), re.I) is not None


def _compare_listings(ours: str, theirs: Listing, depth: int, asks: bool) -> Finding:
    listing = read_listing(ours)
    if listing is None:
        members = bare_members(ours, len(theirs.members))
        listing = Listing("", members) if members else None
    if listing is None or not _fit(listing.brackets, theirs.brackets):
        return NOTHING
    asks = asks and len(theirs.members) <= ASKING_MEMBERS >= len(listing.members)

    def same(member: str, other: str) -> bool:
        return _compare(member, other, "", depth + 1, asks)[1]

    if theirs.is_set:
        return _compare_sets(listing.members, theirs.members, same)
    right = len(listing.members) == len(theirs.members) and all(map(same, listing.members, theirs.members))
    return ("the same members in the same order", True) if right else NOTHING


def _fit(ours: str, theirs: str) -> bool:
    """Brackets may be left out or put around, never changed: (0, 1) is not [0, 1]."""
    return ours == theirs or not ours or not theirs


def _compare_sets(ours: Sequence[str], theirs: Sequence[str], same: Callable[[str, str], bool]) -> Finding:
    all_known = all(any(same(member, other) for other in theirs) for member in ours)
    none_lacks = all_known and all(any(same(member, other) for member in ours) for other in theirs)
    return ("the same members", True) if none_lacks else NOTHING


def _is_expression(text: str) -> bool:
    """Whether a text is mathematics and neither prose, which has words, nor a date or a number to call."""
    words = WORD.findall(text)
    return bool(SIGN.search(text) and UNKNOWN.search(text)) and all(map(FUNCTIONS.fullmatch, words))


def _compare_expressions(answer: str, expected: str, question: str) -> Finding:
    match prove(_latex(expected), _latex(answer)):
        case "equal" if _stands_in(plain(answer), question):
            return REPEATS, False
        case "equal":
            return "equal by math-verify", True
        case "timeout":
            return "whether they are equal could not be found out within the time allowed", False
    return NOTHING


def _latex(text: str) -> str:
    """For math-verify: unwrapped, with the signs of keyboards as LaTeX's commands."""
    text = ROOT.sub(lambda match: f"\\sqrt{{{match[1].strip('()')}}}", unwrapped(text).strip().rstrip("."))
    return text.replace("**", "^").replace("π", "\\pi ").replace("*", " \\cdot ")
