"""How every room says what is wrong with an input: what, where, and what to do."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

# The input could not be read at all (HTTP 400). Every other fault is readable input that breaks a rule (422).
MALFORMED = frozenset(
    {"empty_file", "json", "bom", "encoding", "compressed", "too_deep", "yaml", "line_too_long", "duplicate_key"}
)
ECHO_LIMIT = 60  # characters of the person's input that a message may repeat


@dataclass(frozen=True)
class Fault:
    """One thing wrong with an input.

    `loc` leads to the value (`("steps", 0, "content")`), `type` is a stable code for programs, `msg` a
    sentence for people. `line` and `column` count from 1 and are set for files only.
    """

    loc: tuple[str | int, ...]
    msg: str
    type: str
    line: int | None = None
    column: int | None = None

    def to_dict(self) -> dict:
        row = asdict(self) | {"loc": list(self.loc)}
        return {key: value for key, value in row.items() if value is not None}

    def __str__(self) -> str:
        place = ".".join(str(part) for part in self.loc)
        where = ", ".join(part for part in (f"line {self.line}" if self.line else "", place) if part)
        return f"{where}: {self.msg}" if where else self.msg


class Invalid(ValueError):
    """An input that breaks one rule or several. `faults` lists each with its place."""

    def __init__(self, faults: Iterable[Fault] | Fault):
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))

    @property
    def malformed(self) -> bool:
        """True when the input could not even be read, so that no rule was ever checked."""
        return any(fault.type in MALFORMED for fault in self.faults)


def echo(value: object) -> str:
    """`value` as a message may repeat it: quoted, one line, at most ECHO_LIMIT characters."""
    text = repr(value)
    return text if len(text) <= ECHO_LIMIT else text[: ECHO_LIMIT - 1] + "…"
