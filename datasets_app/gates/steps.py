"""Gates that look at the steps of a row."""

from collections.abc import Iterable, Sequence

from datasets_app.gates.gate import Finding, Gate, Row


class EmptySteps(Gate):
    name = "empty_steps"
    rule = "no step is empty"

    def find(self, rows: Sequence[Row]) -> Iterable[Finding]:
        for row in rows:
            for number, step in enumerate(row["steps"], start=1):
                content = step["content"]
                # Most steps hold a letter or a digit at an end: only the others are gone through.
                if not content[:1].isalnum() and not content[-1:].isalnum() and not any(map(str.isalnum, content)):
                    yield Finding(row["id"], f"step {number} holds neither a letter nor a digit", {"step": step["i"]})
                    break
