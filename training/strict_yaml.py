"""YAML without its surprises: the JSON types only, one document, and a line for everything that is wrong.

Plain YAML 1.1 reads `no` as false, `1e-4` as text, `010` as 8 and `12:30` as 750, and 272 bytes of aliases unpack to
gigabytes. Here a scalar is null, true, false, a decimal number or text; aliases, tags and repeated keys are refused.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from training.errors import Fault, Invalid, echo

MAX_DEPTH = 32

Loc = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
_SCALARS = (
    ("null", re.compile(r"(?:null|~)?$"), ["n", "~", ""]),
    ("bool", re.compile(r"(?:true|false)$"), ["t", "f"]),
    ("int", re.compile(r"-?(?:0|[1-9][0-9]*)$"), list("-0123456789")),
    ("float", re.compile(r"-?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"), list("-.0123456789")),
    ("float", re.compile(r"-?\.(?:inf|Inf|INF|nan|NaN|NAN)$"), list("-.")),
)


def parse_yaml(data: bytes | str) -> tuple[Any, dict[Loc, int]]:
    """The value of a YAML document and the line, from 1, of everything in it. Raises Invalid.

    >>> parse_yaml("training:\\n  learning_rate: 1e-4\\n")[0]
    {'training': {'learning_rate': 0.0001}}
    """
    lines: dict[Loc, int] = {}
    return _value(_root(_text(data)), (), lines), lines


def _text(data: bytes | str) -> str:
    try:
        return data if isinstance(data, str) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1  # type: ignore[arg-type]
        raise Invalid(Fault((), "not UTF-8 text", "encoding", line))


def _root(text: str) -> Node:
    try:
        root = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Invalid(Fault((), str(error.problem or error.context), "yaml", mark.line + 1 if mark else None))
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise Invalid(Fault((), "a character that YAML does not allow", "yaml", line))
    if root is None:
        raise Invalid(Fault((), "the file is empty", "empty_file", 1))
    return root


class _Loader(yaml.SafeLoader):
    """Composes nodes; only the scalars of `_SCALARS` are anything but text."""

    yaml_implicit_resolvers: dict = {}
    depth = 0

    def compose_node(self, parent: Node | None, index: object) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=self.peek_event().start_mark)
        if self.depth == MAX_DEPTH:
            problem = f"nested deeper than {MAX_DEPTH} levels"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.peek_event().start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_TAG + _name, _pattern, _first)


def _value(node: Node, loc: Loc, lines: dict[Loc, int]) -> Any:
    lines[loc] = node.start_mark.line + 1
    if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
        return {key: _value(child, (*loc, key), lines) for key, child in _pairs(node, loc)}
    if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
        return [_value(child, (*loc, index), lines) for index, child in enumerate(node.value)]
    if isinstance(node, ScalarNode):
        return _scalar(node, loc)
    raise _fault(node, loc, f"the tag {echo(node.tag)} is not allowed", "yaml")


def _pairs(node: MappingNode, loc: Loc) -> Iterator[tuple[str, Node]]:
    seen = set()
    for key_node, child in node.value:
        key = _scalar(key_node, loc) if isinstance(key_node, ScalarNode) else None
        if not isinstance(key, str):
            raise _fault(key_node, loc, "a key must be text", "yaml")
        if key in seen:
            raise _fault(key_node, loc, f"the key {echo(key)} appears twice", "duplicate_key")
        seen.add(key)
        yield key, child


def _scalar(node: ScalarNode, loc: Loc) -> str | int | float | bool | None:
    text, kind = node.value, node.tag.removeprefix(_TAG)
    try:
        if kind == "null":
            return None
        if kind == "bool":
            return {"true": True, "false": False}[text]
        if kind == "int":
            return int(text)
        if kind == "float":
            return _finite(float(re.sub(r"\.(?=[inIN])", "", text)))
    except (KeyError, ValueError):
        raise _fault(node, loc, f"{echo(text)} is no finite number or truth value", "non_finite")
    if kind != "str":
        raise _fault(node, loc, f"the tag {echo(node.tag)} is not allowed", "yaml")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise _fault(node, loc, "NUL and lone surrogates are not allowed", "nul_character")
    return text


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def _fault(node: Node, loc: Loc, msg: str, code: str) -> Invalid:
    return Invalid(Fault(loc, msg, code, node.start_mark.line + 1, node.start_mark.column + 1))
