"""One JSON list, item by item, in memory that does not grow with the list."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from training.errors import Fault, Invalid
from training.json_rules import Loc
from training.strict_json import START, Place, located, parse_value, skip_space, syntax_fault

BLOCK_BYTES = 1024**2
LONGEST_WORD = 16  # characters; more than -Infinity or an escape has
STRING_PART = re.compile(r'["\\]')
ITEM_PART = re.compile(r'["{}\[\],]')

Item = tuple[int, Loc, object | Invalid, str]


def read_items(stream: BinaryIO, *, max_item_bytes: int) -> Iterator[Item]:
    """Each item of the list that `stream` holds: its line, its index as a `loc`, its value, its text where it has none.

    What breaks the list itself ends it; a faulty item does not.
    """
    window = Window(stream, ahead=max_item_bytes + LONGEST_WORD)
    index = -1
    try:
        for index, (line, value, text) in enumerate(_items(window, max_item_bytes)):
            yield line, (index,), located(value, line, (index,)) if isinstance(value, Invalid) else value, text
        if index < 0:
            raise Invalid(Fault((), "the list holds no rows", "empty_file"))
    except Invalid as invalid:
        line = window.last_line if window.failure else invalid.faults[0].line or window.line
        yield line, (), located(window.failure or invalid, line), ""


class Window:
    """The part of a text that is being read: `text`, from `at` on, at least `ahead` characters or all that is left.

    `place` says where in the whole text the window begins. What cannot be read ends the text and is its `failure`.
    """

    def __init__(self, stream: BinaryIO, ahead: int):
        self.text, self.at = "", 0
        self.place, self.ended = START, False
        self.failure: Invalid | None = None
        self._stream, self._ahead = stream, ahead
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._line, self._counted = 1, 0
        self.fill()

    @property
    def line(self) -> int:
        """The line that `at` stands on."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    @property
    def last_line(self) -> int:
        return self.place.lines + self.text.count("\n") + 1

    def fill(self) -> None:
        """Lets go of what has been read and reads on, where too little is left."""
        if self.ended or len(self.text) - self.at >= self._ahead:
            return
        self._line, gone = self.line, self.text[: self.at]
        lines, columns = gone.count("\n"), len(gone) - gone.rfind("\n") - 1
        self.place = Place(self.place.lines + lines, columns + (0 if lines else self.place.columns))
        pieces = [self.text[self.at :]]
        missing = self._ahead - len(pieces[0])
        while missing > 0 and not self.ended:
            pieces.append(self._read())
            missing -= len(pieces[-1])
        self.text, self.at, self._counted = "".join(pieces), 0, 0

    def skip_space(self) -> None:
        self.at = skip_space(self.text, self.at)
        while self.at == len(self.text) and not self.ended:
            self.fill()
            self.at = skip_space(self.text, self.at)
        self.fill()

    def takes(self, sign: str) -> bool:
        """Whether `sign` is what follows; if so, it has been read."""
        self.skip_space()
        found = self.text.startswith(sign, self.at)
        self.at += found
        return found

    def refuse(self, reason: str) -> Invalid:
        return Invalid(syntax_fault(reason, self.text, self.at, self.place))

    def _read(self) -> str:
        try:
            block = self._stream.read(BLOCK_BYTES)
            self.ended = not block
            return self._decoder.decode(block, final=self.ended)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            message = f"is not UTF-8 (byte 0x{byte:02x}); save the text as UTF-8"
            self.ended, self.failure = True, Invalid(Fault((), message, "encoding"))
            return error.object[: error.start].decode("utf-8-sig")
        except Invalid as invalid:  # the packing is broken
            self.ended, self.failure = True, invalid
            return ""


def _items(window: Window, max_bytes: int) -> Iterator[tuple[int, object | Invalid, str]]:
    window.takes("[")
    closed = window.takes("]")
    while not closed:
        window.skip_space()
        line = window.line
        yield line, *_item(window, max_bytes)
        closed = window.takes("]")
        if not closed and not window.takes(","):
            raise window.refuse("Expecting ',' or ']' (nothing behind this place was read)")
    window.skip_space()
    if window.failure:
        raise window.failure
    if window.at < len(window.text):
        raise window.refuse("Extra data")


def _item(window: Window, max_bytes: int) -> tuple[object | Invalid, str]:
    text, start = window.text, window.at
    too_long = Invalid(Fault((), f"is larger than {max_bytes} bytes", "line_too_long"))
    try:
        value, window.at = parse_value(text, start, window.place)
    except Invalid:
        if window.ended or not _is_cut(text, start):
            raise
        _skip_item(window)
        return too_long, text[start : start + max_bytes]
    length = window.at - start
    if length > max_bytes or (4 * length > max_bytes and len(text[start : window.at].encode()) > max_bytes):
        value = too_long
    return value, text[start : window.at] if isinstance(value, Invalid) else ""


def _is_cut(text: str, start: int) -> bool:
    """True when it is the end of `text`, and nothing before it, that ends the value begun at `start`."""
    try:
        json.JSONDecoder().raw_decode(text, start)
    except json.JSONDecodeError as error:
        return error.msg.startswith("Unterminated string") or error.pos >= len(text) - LONGEST_WORD
    except (RecursionError, ValueError):
        return False
    return False


def _skip_item(window: Window) -> None:
    """Moves to the sign that ends the item, however far away it is."""
    depth, in_text = 0, False
    while True:
        window.fill()
        found = (STRING_PART if in_text else ITEM_PART).search(window.text, window.at)
        window.at = found.start() if found else len(window.text)
        sign = found[0] if found else ""
        if (not found and window.ended) or (depth == 0 and sign and sign in "]},"):
            return
        if sign == "\\":
            window.fill()
            window.at += 2
        elif sign:
            window.at += 1
            in_text ^= sign == '"'
            depth += (sign in "{[") - (sign in "}]")
