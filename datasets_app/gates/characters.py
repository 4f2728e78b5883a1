"""The characters of texts, by kind: scripts as Unicode's names of letters tell them, and what nobody writes."""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

KINDS = 256
UNSEEN, NEUTRAL, STRAY, INVISIBLE, SCRIPTS = range(5)  # kinds of a character; scripts are numbered from the last on
INVISIBLE_RUN = 8  # characters; emoji and right-to-left texts have shorter runs of them
STRAY_CATEGORIES = {"Cc": "control", "Co": "private", "Cn": "unassigned", "Cs": "surrogate"}
SPACES = "\t\n\r"
KANA = ("HIRAGANA", "KATAKANA", "HENTAIGANA", "BOPOMOFO")  # written among CJK characters


class Written(NamedTuple):
    """How a text is written: its script ("" when no script has more than half of its letters), and what is wrong."""

    script: str = ""
    why: str = ""


class Characters:
    """Knows the kind of every character it has met: one byte for each that there can be."""

    def __init__(self) -> None:
        self._kinds = np.zeros(0x110000, np.uint8)
        self._scripts: list[str] = []

    def look(self, texts: Sequence[str]) -> Iterator[Written]:
        """How each of the texts is written."""
        kinds = self._kinds_of("".join(texts))
        lengths = [len(text) for text in texts]
        owners = np.repeat(np.arange(len(texts)) * KINDS, lengths)
        counts = np.bincount(owners + kinds, minlength=len(texts) * KINDS).reshape(-1, KINDS)
        letters = counts[:, SCRIPTS:]
        most, half = letters.argmax(axis=1), letters.sum(axis=1) / 2
        end = 0
        for index, text in enumerate(texts):
            end += len(text)
            if why := _fault(text, kinds[end - len(text) : end], counts[index]):
                yield Written(why=why)
            else:
                script = int(most[index])
                yield Written(self._scripts[script] if letters[index, script] > half[index] else "")

    def _kinds_of(self, text: str) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        kinds = self._kinds[codes]
        if not kinds.all():
            for code in np.unique(codes[kinds == UNSEEN]).tolist():
                self._kinds[code] = self._kind(chr(code))
            kinds = self._kinds[codes]
        return kinds

    def _kind(self, char: str) -> int:
        category = unicodedata.category(char)
        if char == "\ufffd" or (category in STRAY_CATEGORIES and char not in SPACES):
            return STRAY
        if category == "Cf":
            return INVISIBLE
        return self._script(char) if category in ("Lu", "Ll", "Lt", "Lo") else NEUTRAL

    def _script(self, char: str) -> int:
        """The number of a letter's script. NFKC takes letters of mathematics and full-width forms to their scripts."""
        name = unicodedata.name(unicodedata.normalize("NFKC", char)[0], "OTHER").split()[0]
        name = "CJK" if name in KANA else name
        if name not in self._scripts:
            self._scripts.append(name)
        return SCRIPTS + self._scripts.index(name)


def _fault(text: str, kinds: np.ndarray, counts: np.ndarray) -> str:
    if counts[STRAY]:
        return _stray(text[int(np.argmax(kinds == STRAY))], int(counts[STRAY]))
    if counts[INVISIBLE] >= INVISIBLE_RUN and bytes([INVISIBLE]) * INVISIBLE_RUN in kinds.tobytes():
        return f"holds {counts[INVISIBLE]} invisible characters, {INVISIBLE_RUN} or more in a row"
    return ""


def _stray(char: str, count: int) -> str:
    kind = "replacement" if char == "\ufffd" else STRAY_CATEGORIES[unicodedata.category(char)]
    more = f" and {count - 1} more such" if count > 1 else ""
    return f"holds the {kind} character U+{ord(char):04X}{more}"
