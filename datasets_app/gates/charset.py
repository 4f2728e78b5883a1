"""A gate that looks at the characters of rows: the scripts they are written in, and those that nobody writes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from datasets_app.gates.characters import Characters, Written
from datasets_app.gates.gate import KEPT, Finding, Findings, Gate, Row, Taught

RARE = 0.01  # of the rows
LETTER = re.compile("[A-Za-z]")
NO_CONTROL = bytes([*b"\t\n\r", *range(0x20, 0x7F), *range(0x80, 0x100)])
LATIN, NONE = Written("LATIN"), Written()  # ASCII texts, which are known without counting


class Charset(Gate):
    """A row is in the script that more than half of its letters belong to. Among a hundred rows no script is rare."""

    name = "charset"
    rule = "no row is in a script that fewer than 1 % of the rows are in, or holds broken or hidden characters"

    def __init__(self, taught: Taught):
        super().__init__(taught)
        self._characters = Characters()
        self._rows: Counter[str] = Counter()  # by script
        self._first: dict[str, list[str]] = {}  # ids of the first rows of a script

    def find(self, rows: Sequence[Row]) -> Iterator[Finding]:
        texts = self.taught.texts(rows)
        controls = bool(texts.whole.translate(None, delete=NO_CONTROL))
        plain = [text.isascii() and not controls for text in texts.taught]
        written = self._characters.look([text for text, known in zip(texts.taught, plain, strict=True) if not known])
        for row, text, known in zip(rows, texts.taught, plain, strict=True):
            script, why = LATIN if known and LETTER.search(text) else NONE if known else next(written)
            if why:
                yield Finding(row["id"], why)
            elif script:
                self._note(script, row["id"])

    def found(self) -> Findings:
        """What the rows showed one by one, and then the scripts that few of them are in."""
        total, found = self._rows.total(), Findings()
        found.count, found.kept = self.findings.count, list(self.findings.kept)
        for script, count in sorted(self._rows.items()):
            if count < RARE * total:
                why = f"is written in {script.capitalize()} letters, as {count} of {total} rows are"
                found.add(Finding(row, why, {"script": script}) for row in self._first[script])
                found.count += count - len(self._first[script])
        return found

    def _note(self, script: str, row_id: str) -> None:
        self._rows[script] += 1
        first = self._first.setdefault(script, [])
        if len(first) < KEPT:
            first.append(row_id)
