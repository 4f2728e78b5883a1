"""The rules of a trace. Every door (API, import, generator, golden set) reads traces through `read_trace`."""

from collections.abc import Iterator
from itertools import islice
from operator import itemgetter

from training.errors import Fault, Invalid, echo
from training.json_rules import INTEGERS, MAX_FAULTS, Loc, has_utf8_form, is_sound, place, text_faults, value_faults

TRACE_VERSION = "1.0"

# Lengths are Unicode code points.
MAX_VERSION = 64
MAX_PROMPT = 50_000
MAX_FINAL_ANSWER = 50_000
MAX_STEPS = 1_000
MAX_STEP_TYPE = 64
MAX_STEP_CONTENT = 20_000

TRACE_TEXTS = {"trace_version": MAX_VERSION, "prompt": MAX_PROMPT, "final_answer": MAX_FINAL_ANSWER}
STEP_TEXTS = {"type": MAX_STEP_TYPE, "content": MAX_STEP_CONTENT}
TRACE_KEYS = ("trace_version", "prompt", "steps", "final_answer", "meta")
STEP_KEYS = ("i", "type", "content")

KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def read_trace(obj: object) -> dict:
    """The trace in its one spelling: every key present, steps in order of `i`, `meta` an object or None.

    Raises Invalid that lists every fault (the first MAX_FAULTS). The caller bounds the trace's size in bytes.
    """
    if isinstance(obj, dict) and _is_sound(obj):
        return _spelled_once(obj, obj["steps"])
    faults = list(islice(trace_faults(obj), MAX_FAULTS))
    if faults or not isinstance(obj, dict):
        raise Invalid(faults)
    return _spelled_once(obj, sorted(obj["steps"], key=itemgetter("i")))


def _spelled_once(obj: dict, steps: list[dict]) -> dict:
    return {
        "trace_version": obj["trace_version"],
        "prompt": obj["prompt"],
        "steps": [{"i": step["i"], "type": step["type"], "content": step["content"]} for step in steps],
        "final_answer": obj["final_answer"],
        "meta": obj.get("meta"),
    }


def _is_sound(obj: dict) -> bool:
    """Whether `trace_faults` finds nothing and the steps are in order; false where it takes longer to tell.

    Nearly every trace comes through here, so this is written for speed: one pass, and the texts judged together.
    """
    try:
        steps, meta, texts = obj["steps"], obj.get("meta"), [obj[name] for name in TRACE_TEXTS]
        if len(obj) != len(texts) + 1 + ("meta" in obj) or type(steps) is not list or len(steps) > MAX_STEPS:
            return False
        if any(len(text) > limit for text, limit in zip(texts, TRACE_TEXTS.values(), strict=True)):
            return False
        last = -1
        for step in steps:
            number, type_, content = step["i"], step["type"], step["content"]
            if type(number) is not int or number <= last or len(step) != len(STEP_KEYS):
                return False
            if len(type_) > MAX_STEP_TYPE or len(content) > MAX_STEP_CONTENT:
                return False
            last = number
            texts += (type_, content)
        together = "".join(texts)
    except (KeyError, TypeError):
        return False
    return (
        -1 < last < INTEGERS.stop
        and all(texts)
        and not any(map(str.isspace, texts))
        and "\0" not in together
        and (together.isascii() or has_utf8_form(together))
        and (meta is None or (type(meta) is dict and is_sound(meta, depth=1)))
    )


def trace_faults(obj: object) -> Iterator[Fault]:
    """Every rule that `obj` breaks as a trace."""
    if not isinstance(obj, dict):
        yield Fault((), f"is {kind(obj)}; a trace is an object", "not_object")
        return
    yield from _unknown_keys(obj, TRACE_KEYS, ())
    yield from _texts_faults(obj, TRACE_TEXTS, ())
    yield from _steps_faults(obj)
    meta = obj.get("meta")
    if meta is None or isinstance(meta, dict):
        yield from value_faults(meta, ("meta",))
    else:
        yield Fault(("meta",), f"is {kind(meta)}; it must be an object or null", "wrong_type")


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    return KINDS.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _steps_faults(obj: dict) -> Iterator[Fault]:
    if "steps" not in obj:
        yield _missing(("steps",), "a list of steps")
        return
    steps = obj["steps"]
    if not isinstance(steps, list):
        yield Fault(("steps",), f"is {kind(steps)}; it must be a list of steps", "wrong_type")
    elif not steps:
        yield Fault(("steps",), "is empty; a trace has at least one step", "empty")
    elif len(steps) > MAX_STEPS:
        yield Fault(("steps",), f"has {len(steps)} steps; at most {MAX_STEPS} are allowed", "too_long")
    else:
        seen: dict[int, int] = {}
        for index, step in enumerate(steps):
            yield from _step_faults(step, index, seen)


def _step_faults(step: object, index: int, seen: dict[int, int]) -> Iterator[Fault]:
    """`seen` tells for each `i` met so far the place of the step that has it, and is added to."""
    loc = ("steps", index)
    if not isinstance(step, dict):
        yield Fault(loc, f"is {kind(step)}; a step is an object with i, type and content", "wrong_type")
        return
    yield from _unknown_keys(step, STEP_KEYS, loc)
    yield from _step_index_faults(step, index, seen)
    yield from _texts_faults(step, STEP_TEXTS, loc)


def _step_index_faults(step: dict, index: int, seen: dict[int, int]) -> Iterator[Fault]:
    loc = ("steps", index, "i")
    if "i" not in step:
        yield _missing(loc, "the step's number, an integer from 0")
        return
    number = step["i"]
    if type(number) is not int:  # True is an int to Python, and no number to anybody else
        yield Fault(loc, f"is {kind(number)}; it must be an integer", "wrong_type")
    elif number < 0 or number not in INTEGERS:
        yield Fault(loc, "is out of range; steps count from 0", "number_out_of_range")
    elif number in seen:
        yield Fault(loc, f"{number} is taken by steps.{seen[number]}; each step needs its own", "duplicate_step")
    else:
        seen[number] = index


def _texts_faults(obj: dict, limits: dict[str, int], loc: Loc) -> Iterator[Fault]:
    for name, limit in limits.items():
        if name in obj:
            yield from _text_faults(obj[name], limit, (*loc, name))
        else:
            yield _missing((*loc, name), f"a text of 1 to {limit} characters")


def _text_faults(value: object, limit: int, loc: Loc) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(loc, f"is {kind(value)}; it must be a text", "wrong_type")
    elif not value or value.isspace():
        yield Fault(loc, "is empty; it needs at least one character that is not a space", "empty")
    elif len(value) > limit:
        yield Fault(loc, f"is {len(value)} characters long; at most {limit} are allowed", "too_long")
    else:
        yield from text_faults(value, loc)


def _unknown_keys(obj: dict, known: tuple[str, ...], loc: Loc) -> Iterator[Fault]:
    for key in obj:
        if key not in known:
            message = f"{echo(key)} is not a known field; allowed are {', '.join(known)}"
            yield Fault((*loc, place(key)), message, "unknown_field")


def _missing(loc: Loc, wanted: str) -> Fault:
    return Fault(loc, f"is missing; give {wanted}", "missing_field")
