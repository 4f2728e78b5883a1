"""What every command shares: `--json`, sentences instead of tracebacks, exit codes, progress."""

import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand

from training.errors import Invalid
from tunixrt.lib.errors import Refused

DONE, FAILED, WRONG_USE, GATE_SAID_NO = 0, 1, 2, 3  # exit codes
CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")  # obeyed by terminals


class Command(BaseCommand):
    """A command that calls one service. Subclasses write `add_options` and `run`.

    `run` returns what `--json` prints (a dict); without `--json`, `show` turns it into lines for a person. An empty
    one means that `run` has written the answer itself.
    Exit codes: 0 done, 1 failed, 2 wrong use (argparse's own), 3 the gate said no; `run` may set another than 0.
    """

    exit_code = DONE

    def add_options(self, parser) -> None:
        """The command's own arguments."""

    def run(self, *args: Any, **options: Any) -> dict:
        raise NotImplementedError

    def show(self, result: dict) -> Iterable[str]:
        return (f"{name}: {value}" for name, value in result.items())

    def add_arguments(self, parser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the result as one JSON object.")
        self.add_options(parser)

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        try:
            result = self.run(**options)
        except Invalid as invalid:
            self.fail(
                "invalid", [str(fault) for fault in invalid.faults], [f.to_dict() for f in invalid.faults], as_json
            )
        except Refused as refused:
            lines = [refused.detail, *map(str, refused.faults)]
            self.fail(refused.code, lines, [fault.to_dict() for fault in refused.faults], as_json)
        if as_json and result:
            self.stdout.write(json.dumps(result, ensure_ascii=False, default=str))
        else:
            for line in self.show(result):
                self.stdout.write(visible(line))
        if self.exit_code:
            sys.exit(self.exit_code)

    def fail(self, code: str, lines: list[str], errors: list[dict], as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"code": code, "detail": lines[0], "errors": errors}, ensure_ascii=False))
        else:
            for line in lines:
                self.stderr.write(visible(line))
        sys.exit(GATE_SAID_NO if code == "gate_refused" else FAILED)

    def progress(self, items: Iterable, total: int | None, what: str) -> Iterator:
        """Passes `items` on, with a bar on a terminal and a line every five seconds in a log."""
        bar = ProgressLine(self.stderr, what, total)
        for count, item in enumerate(items, start=1):
            yield item
            bar.show(count)
        bar.close()


def visible(line: str) -> str:
    """A line for a terminal: names and answers may hold signs that would colour it, clear it or turn it round."""
    return CONTROL.sub(lambda sign: sign[0].encode("unicode_escape").decode(), line)


class ProgressLine:
    """How far something is: redrawn in place on a terminal, now and then a plain line in a log."""

    def __init__(self, out, what: str, total: int | None):
        self.out, self.what, self.total = out, what, total
        self.terminal = hasattr(out, "isatty") and out.isatty()
        self.started = self.shown = time.monotonic()
        self.last = ""

    def show(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if now - self.shown < (0.2 if self.terminal else 5.0):
            return
        self.shown = now
        self.last = " · ".join(part for part in (f"{self.what} {self._figures(done, now)}", note) if part)
        self.out.write(f"\r\033[K{self.last}" if self.terminal else self.last, ending="" if self.terminal else "\n")
        self.out.flush()

    def close(self) -> None:
        if self.terminal and self.last:
            self.out.write("\r\033[K", ending="")

    def _figures(self, done: int, now: float) -> str:
        if not self.total:
            return f"{done:,}"
        left = (now - self.started) * (self.total - done) / done if done else None
        eta = f", about {left:.0f} s left" if left is not None and done < self.total else ""
        return f"{done:,} of {self.total:,} ({100 * done // self.total} %{eta})"
