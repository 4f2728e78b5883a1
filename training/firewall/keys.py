"""By which numbers a row and an item find each other: keys of prompts, n-grams, anchors of answers, problems.

Equal texts have equal keys. Rows are looked up by all they have; of an item is kept as much as is needed to meet.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from training.canonical import sha256_hex
from training.ngrams import LETTER, NUMBER, Words, mixed
from training.twins import problem_key

MAX_NEAR = 64  # words of a prompt that one changed word is looked for in; longer ones meet by their n-grams
FEWEST_LETTERS = 2  # words of letters in an n-gram that tells something
WINDOW = 4  # n-grams beside each other of which an item keeps one
EXACT, NEAR, PROBLEM = (
    np.uint64(int(sha256_hex(f"tunixrt firewall {name}")[:16], 16)) for name in ("exact", "near", "problem")
)
IsCommon = Callable[[np.ndarray], np.ndarray]
Keys = tuple[np.ndarray, np.ndarray]  # hashes, and the index of the text that each is of


def prompt_keys(prompts: Words) -> Keys:
    """One key that prompts with the same words in any order share, and some of which two prompts share one when they
    differ in one word that is no number.

    The latter are the bag of the prompt's words, and the bag without each of its words (deletion neighbourhoods: Mor
    and Fraenkel 1982, "A hash code method for detecting and correcting spelling errors").
    """
    bags, owners, every = prompts.bags(), prompts.owners(), np.arange(len(prompts.offsets) - 1)
    deleted = np.flatnonzero((prompts.counts() <= MAX_NEAR)[owners] & (prompts.kinds != NUMBER))
    shorter = bags[owners[deleted]] - prompts.hashes[deleted]
    keys = np.concatenate((bags ^ EXACT, bags ^ NEAR, shorter ^ NEAR))
    return mixed(keys), np.concatenate((every, every, owners[deleted]))


def winnowed(hashes: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Places of the n-grams that are kept: the least of every WINDOW beside each other in a text, all of a short one.

    So any run of GRAM + WINDOW − 1 words that a row shares with an item holds one that is kept (Schleimer, Wilkerson
    and Aiken 2003, "Winnowing: local algorithms for document fingerprinting").
    """
    if len(hashes) < WINDOW:
        return np.arange(len(hashes))
    least = np.lib.stride_tricks.sliding_window_view(hashes, WINDOW).argmin(axis=1) + np.arange(
        len(hashes) - WINDOW + 1
    )
    kept = np.zeros(len(hashes), dtype=bool)
    kept[least[texts[: len(least)] == texts[WINDOW - 1 :]]] = True
    kept |= np.bincount(texts, minlength=1)[texts] < WINDOW
    return np.flatnonzero(kept)


def gram_keys(words: Words, n: int) -> Keys:
    """The n-grams of texts."""
    hashes, firsts = words.grams(n)
    return hashes, words.owners()[firsts]


def telling_grams(words: Words, n: int, is_common: IsCommon) -> Keys:
    """The n-grams that tell something, and the word that each begins with: bare arithmetic looks alike everywhere."""
    hashes, firsts = words.grams(n)
    letters = np.concatenate(([0], np.cumsum(words.kinds == LETTER)))
    telling = (letters[firsts + n] - letters[firsts] >= FEWEST_LETTERS) & ~is_common(hashes)
    return hashes[telling], firsts[telling]


def problem_keys(payloads: Sequence[Mapping[str, Any]]) -> Keys:
    """What the same generated problems share."""
    found = [(index, key) for index, payload in enumerate(payloads) if (key := known_problem(payload))]
    keys = np.array([int(sha256_hex(key)[:16], 16) for _, key in found], dtype=np.uint64)
    return mixed(keys ^ PROBLEM), np.array([index for index, _ in found], dtype=np.int64)


def known_problem(payload: Mapping[str, Any]) -> str | None:
    """`twins.problem_key`, told at once of rows that name no problem: nearly all."""
    return problem_key(dict(payload)) if (payload.get("meta") or {}).get("problem") else None
