"""Generation by a fixed number of slots: when an answer ends, its slot takes the next prompt.

On a CPU, every core has slots of its own, while the weights are small. Two compiled programs, whatever the prompts: one
reads a few prompts into free slots, READ tokens at a time; the other writes a token in every slot until enough answers
have ended. What a row is given depends on its prompt and key alone.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from training.engine.choice import GREEDY, Choice
from training.engine.lanes import lanes, side_by_side
from training.engine.model import AllAngles, Gemma3, Memory, Params, all_angles
from training.shapes import ModelShape

SLOTS = 40  # answers that a stream writes at once, at most
REFILL = 4  # slots that are filled together; as many must be free before the writing stops for it
READ = 32  # tokens of a prompt read at once
ROUND = 64  # the longest text is rounded up to a multiple of this, so that few shapes are compiled
REMEMBERED = 2 * 2**30  # bytes that the slots of several streams may take
PATIENCE = 0.3  # seconds between two looks at what was written


class Generation(NamedTuple):
    """An answer: its tokens without the stop token, and whether it ended by itself ("stop") or was cut ("length")."""

    tokens: list[int]
    finish_reason: str


@dataclass(frozen=True)
class Rules:
    """How an answer goes on and where it ends. `pad_id` is never generated."""

    max_new_tokens: int
    stop_id: int
    pad_id: int
    choice: Choice = GREEDY


class Slots(NamedTuple):
    """The answers being written, N of them, and what the model remembers of each."""

    memory: list[Memory]
    token: Array  # int32 [N]: the newest token
    position: Array  # int32 [N], where it stands in its text
    written: Array  # int32 [N]: tokens of the answer, the newest included
    done: Array  # bool [N]
    answers: Array  # int32 [N, max_new_tokens]
    keys: Array  # uint32 [N, 2]


def generate(
    params: Params,
    shape: ModelShape,
    prompts: Sequence[list[int]],
    rules: Rules,
    *,
    keys: np.ndarray | None = None,
    slots: int = SLOTS,
    streams: int | None = None,
) -> list[Generation]:
    """An answer to each prompt, in the order of `prompts`; see `answers`."""
    found: dict[int, Generation] = {}
    for ended in answers(params, shape, prompts, rules, keys=keys, slots=slots, streams=streams):
        found |= ended
    return [found[row] for row in range(len(prompts))]


def answers(
    params: Params,
    shape: ModelShape,
    prompts: Sequence[list[int]],
    rules: Rules,
    *,
    keys: np.ndarray | None = None,
    slots: int = SLOTS,
    streams: int | None = None,
) -> Iterator[dict[int, Generation]]:
    """Answers by their prompt's place, as they end; several times a second, if with none.

    A prompt gets the tokens it would get alone. `keys` (uint32 [len(prompts), 2]) seed what is drawn for each, and are
    not needed where nothing is. `streams`, each of so many `slots`: None chooses. Raises ValueError on an empty prompt.
    """
    if not all(prompts):
        raise ValueError("a prompt has no tokens")
    if not prompts:
        return
    params = jax.tree.map(jnp.asarray, params)
    keys = np.zeros((len(prompts), 2), np.uint32) if keys is None else keys
    waiting = Waiting(prompts, keys)
    size = -(-(waiting.longest + rules.max_new_tokens) // ROUND) * ROUND
    blank = partial(_blank, params, shape, rules, size=size)
    if streams is None:
        each = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(lambda: blank(slots))))
        streams = max(1, min(lanes(params), REMEMBERED // each))
    streams = min(streams, -(-len(prompts) // REFILL))
    slots, angles = _even(-(-len(prompts) // streams), slots), _angles(shape, size)
    yield from side_by_side([_stream(params, angles, shape, rules, waiting, blank(slots)) for _ in range(streams)])


class Waiting:
    """The prompts that no slot has begun to answer, for all streams."""

    def __init__(self, prompts: Sequence[list[int]], keys: np.ndarray) -> None:
        self.prompts, self.keys, self.longest = prompts, keys, max(map(len, prompts))
        self._rows = sorted(range(len(prompts)), key=lambda row: len(prompts[row]))
        self._lock = Lock()

    def __bool__(self) -> bool:
        return bool(self._rows)

    def take(self, count: int) -> list[int]:
        """At most `count` rows, the longest prompts first."""
        with self._lock:
            return [self._rows.pop() for _ in range(min(count, len(self._rows)))]

    def padded(self, taken: dict[int, int], slots: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Tokens [REFILL, P], lengths [REFILL] and keys [REFILL, 2] of rows by slot, and their slots [REFILL]."""
        tokens = np.zeros((REFILL, -(-self.longest // ROUND) * ROUND), np.int32)
        length, into = np.zeros(REFILL, np.int32), np.full(REFILL, slots, np.int32)
        seeds = np.zeros((REFILL, 2), np.uint32)
        for place, (slot, row) in enumerate(taken.items()):
            prompt = self.prompts[row]
            tokens[place, : len(prompt)] = prompt
            length[place], into[place], seeds[place] = len(prompt), slot, self.keys[row]
        return tokens, length, seeds, into


def _stream(
    params: Params, angles: AllAngles, shape: ModelShape, rules: Rules, waiting: Waiting, state: Slots
) -> Iterator[dict[int, Generation]]:
    """Answers to prompts taken from those `waiting`, after each reading and each writing, in slots that are blank."""
    slots = len(state.token)
    busy: dict[int, int] = {}  # rows by slot
    steps = 1
    while waiting or busy:
        free = [slot for slot in range(slots) if slot not in busy]
        while free and (rows := waiting.take(min(REFILL, len(free)))):
            taken = {free.pop(): row for row in rows}
            state = _read(params, *waiting.padded(taken, slots), state, shape, rules)
            busy |= taken
            yield {}
        enough = min(REFILL, slots) if waiting else slots
        begin = time.monotonic()
        state = _write(params, angles, state, steps, enough, shape, rules)
        done = np.asarray(state.done)
        steps = min(2 * steps, 1024) if time.monotonic() - begin < PATIENCE else max(1, steps // 2)
        ended = [slot for slot in busy if done[slot]]
        written, tokens = np.asarray(state.written), np.asarray(state.answers)
        yield {busy.pop(slot): _cut(tokens[slot, : written[slot]].tolist(), rules.stop_id) for slot in ended}


def _even(prompts: int, slots: int) -> int:
    """No more slots than answers of equal length need to end as soon: of 40, 100 prompts take 36."""
    rounds = -(-prompts // slots)
    return min(slots, -(-prompts // (rounds * REFILL)) * REFILL)


@partial(jax.jit, static_argnames=("shape", "rules"), donate_argnames="slots")
def _read(
    params: Params,
    tokens: Array,
    length: Array,
    keys: Array,
    into: Array,
    slots: Slots,
    shape: ModelShape,
    rules: Rules,
) -> Slots:
    """The slots `into` [R] begin answers to prompts `tokens` [R, P] of `length` [R]; a slot that is none: nowhere."""
    model = Gemma3(shape).bind({"params": params})

    def unread(state: tuple) -> Array:
        return state[0] < length.max()

    def read_on(state: tuple) -> tuple:
        begin, last, memory = state
        part = jax.lax.dynamic_slice_in_dim(tokens, begin, READ, axis=1)
        x, memory = model.read(part, begin, length, memory)
        place = length - 1 - begin
        here = (place >= 0) & (place < READ)
        ends = jnp.take_along_axis(x, place.clip(0, READ - 1)[:, None, None], axis=1)[:, 0]
        return begin + READ, jnp.where(here[:, None], ends, last), memory

    rows, size = tokens.shape
    blank = jnp.zeros((rows, shape.width), params["embedding"].dtype), model.blank_memory(rows, size)
    _, last, memory = jax.lax.while_loop(unread, read_on, (0, *blank))
    zero = jnp.zeros_like(length)
    token = _choose(rules, model.logits(last), keys, zero)
    answers = jnp.full((len(tokens), rules.max_new_tokens), rules.pad_id, jnp.int32).at[:, 0].set(token)
    new = Slots(memory, token, length, zero + 1, _ended(rules, token, zero + 1), answers, keys)
    # A text that fits a memory lies in its first columns; in a larger one too.
    return jax.tree.map(lambda old, row: old.at[(into, *map(slice, row.shape[1:]))].set(row, mode="drop"), slots, new)


@partial(jax.jit, static_argnames=("shape", "rules"), donate_argnames="slots")
def _write(
    params: Params, angles: AllAngles, slots: Slots, steps: Array, enough: Array, shape: ModelShape, rules: Rules
) -> Slots:
    """The slots after `steps` more tokens in each that is not done, or fewer when `enough` slots are done."""
    model = Gemma3(shape).bind({"params": params})
    row = jnp.arange(len(slots.token))

    def unfinished(state: tuple[Array, Slots]) -> Array:
        return (state[0] < steps) & (state[1].done.sum() < enough)

    def next_token(state: tuple[Array, Slots]) -> tuple[Array, Slots]:
        step, slots = state
        logits, memory = model.decode(slots.token, slots.position, slots.memory, angles)
        token = _choose(rules, logits, slots.keys, slots.written)
        # A slot that is done stands still: it writes the same again where nobody looks.
        written = jnp.where(slots.done, slots.written, slots.written + 1)
        column = jnp.where(slots.done, rules.max_new_tokens, slots.written)
        return step + 1, Slots(
            memory,
            jnp.where(slots.done, slots.token, token),
            jnp.where(slots.done, slots.position, slots.position + 1),
            written,
            slots.done | _ended(rules, token, written),
            slots.answers.at[row, column].set(token, mode="drop"),
            slots.keys,
        )

    return jax.lax.while_loop(unfinished, next_token, (jnp.zeros((), jnp.int32), slots))[1]


_angles = jax.jit(all_angles, static_argnames=("shape", "length"))


@partial(jax.jit, static_argnames=("shape", "rules", "slots", "size"))
def _blank(params: Params, shape: ModelShape, rules: Rules, slots: int, size: int) -> Slots:
    """Slots that wait for prompts, with room for texts of `size` tokens."""
    memory = Gemma3(shape).bind({"params": params}).blank_memory(slots, size)
    zero = jnp.zeros(slots, jnp.int32)
    answers = jnp.full((slots, rules.max_new_tokens), rules.pad_id, jnp.int32)
    return Slots(memory, zero, zero, zero, zero == 0, answers, jnp.zeros((slots, 2), jnp.uint32))


def _choose(rules: Rules, logits: Array, keys: Array, index: Array) -> Array:
    return rules.choice(logits.at[:, rules.pad_id].set(-jnp.inf), keys, index)


def _ended(rules: Rules, token: Array, written: Array) -> Array:
    return (token == rules.stop_id) | (written == rules.max_new_tokens)


def _cut(tokens: list[int], stop_id: int) -> Generation:
    return Generation(tokens[:-1], "stop") if tokens[-1] == stop_id else Generation(tokens, "length")
