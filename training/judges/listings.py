"""Sets, lists and pairs: `{1, 2}`, `[1, 2]`, `(1, 2)`, and `1, 2` or `1 and 2` without brackets."""

import re
from typing import NamedTuple

MAX_MEMBERS = 30  # a longer one is compared as text
CLOSING = {"{": "}", "[": "]", "(": ")"}
EMPTY = "∅"
SEPARATORS = re.compile(r"\s*[,;]\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", re.IGNORECASE)


class Listing(NamedTuple):
    """Members in their order, and the brackets around them; "" where there are none."""

    brackets: str
    members: list[str]

    @property
    def is_set(self) -> bool:
        return self.brackets == "{}"


def read_listing(text: str) -> Listing | None:
    """The listing that a plain text is, or None: brackets must pair, and without them there must be two members."""
    text = text.strip().rstrip(".")
    if text == EMPTY:
        return Listing("{}", [])
    brackets = text[:1] + text[-1:] if text[:1] in CLOSING and text[-1:] in ("}", "]", ")") else ""
    members = _members(text[1:-1] if brackets else text)
    if members is None or len(members) > MAX_MEMBERS or (not brackets and len(members) < 2):
        return None
    return Listing(brackets, members) if brackets != "()" or len(members) > 1 else None


def bare_members(text: str, count: int) -> list[str] | None:
    """The members of a text without brackets as which spaces may stand between `count` of them."""
    words = text.split()
    return words if len(words) == count and all(any(map(str.isdigit, word)) for word in words) else None


def _members(text: str) -> list[str] | None:
    """The parts between separators outside all brackets; None where brackets do not pair."""
    parts, start, open_brackets = [], 0, []
    for match in re.finditer(rf"[{{\[(]|[}}\])]|{SEPARATORS.pattern}", text, re.IGNORECASE):
        sign = match[0]
        if sign in CLOSING:
            open_brackets.append(CLOSING[sign])
        elif sign in CLOSING.values():
            if not open_brackets or open_brackets.pop() != sign:
                return None
        elif not open_brackets:
            parts.append(text[start : match.start()])
            start = match.end()
    if open_brackets:
        return None
    parts = [part.strip() for part in (*parts, text[start:])]
    return [] if parts == [""] else parts if all(parts) else None
