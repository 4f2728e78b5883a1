"""What of a text counts when it is compared: its spoken words and its numbers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from training.firewall.asked import Asked
from training.ngrams import Words, folded, hash_words

MAX_WORDS = 10_000  # of a longer part of an item the beginning speaks for the whole
ANSWER_WORDS = 5  # that are no numbers; a shorter answer gives nothing away
THOUSANDS = re.compile(r",(?=[0-9]{3}(?![0-9]))(?<=[0-9],)")
NUMBER = re.compile(r"\.?\d+(?:[.,]\d+)*!?|[^\W\d_]+")  # .5 and 5! are other numbers than 5
SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
LARGE = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "dozen": 12}
LARGE |= {"hundred": 100, "thousand": 1000, "million": 1_000_000, "double": 2, "twice": 2, "triple": 3}
NAMED = {name: str(value) for name, value in (*zip(SMALL, range(21), strict=True), *LARGE.items())}
NAMED["half"] = "0.5"


def clean(text: str) -> str:
    """`text` with 1,000 written as 1000."""
    return THOUSANDS.sub("", text)


def texts_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """A row's prompt, and its steps and answer."""
    return row["prompt"], "\n".join([*(step["content"] for step in row["steps"]), row["final_answer"]])


def item_texts(item: Asked) -> tuple[str, str, str]:
    """An item's prompt, steps and answer."""
    return item.prompt, "\n".join(item.steps), item.answer


def hashed(texts: Sequence[str]) -> Words:
    """The spoken words of texts that are `clean`."""
    return hash_words(texts).spoken()


def numbers_of(text: str) -> list[str]:
    """The numbers of a clean text in their order, whether in digits or in English words."""
    return [number for token in NUMBER.findall(folded(text)) if (number := _number(token))]


def _number(token: str) -> str | None:
    """One spelling for one number; None for a word that is none."""
    digits = token.lstrip(".")
    if not digits[:1].isdecimal():
        return NAMED.get(token)
    whole, point, fraction = (f"0{token}" if token[0] == "." else token).partition(".")
    return (whole.lstrip("0") or "0") + (point + fraction).rstrip("0").rstrip(".") if fraction.isdecimal() else token
