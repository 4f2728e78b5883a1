"""A gate that looks at the characters of rows: the scripts they are written in, and those that nobody writes."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from datasets_app.gates.characters import Characters, Written, stray
from datasets_app.gates.gate import KEPT, Finding, Findings, Gate, Row, Taught

RARE = 0.01  # of the rows
LETTER = re.compile("[A-Za-z]")
CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
NO_CONTROL = bytes(byte for byte in range(256) if not CONTROL.match(chr(byte)))


class Charset(Gate):
    """A row is in the script that more than half of its letters belong to. Among a hundred rows no script is rare."""

    name = "charset"
    rule = "no row is in a script that fewer than 1 % of the rows are in, or holds broken or hidden characters"

    def __init__(self, taught: Taught):
        super().__init__(taught)
        self._characters = Characters()
        self._rows: Counter[str] = Counter()  # by script
        self._first: dict[str, list[str]] = {}  # ids of the first rows of a script

    def find(self, rows: Sequence[Row]) -> Iterable[Finding]:
        texts = self.taught.texts(rows)
        controls = bool(texts.whole.translate(None, delete=NO_CONTROL))
        wide = [index for index, text in enumerate(texts.taught) if not text.isascii()]
        written = dict(zip(wide, self._characters.look([texts.taught[index] for index in wide]), strict=True))
        for index, text in enumerate(texts.taught):
            found = written.get(index) or _ascii(text, controls)
            if found.why:
                yield Finding(rows[index]["id"], found.why)
            elif found.script:
                self._note(found.script, rows[index]["id"])

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


def _ascii(text: str, controls: bool) -> Written:
    """How an ASCII text is written, which is known without counting."""
    found = CONTROL.findall(text) if controls else []
    return Written(why=stray(found[0], len(found))) if found else Written("LATIN" if LETTER.search(text) else "")
