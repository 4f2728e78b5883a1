"""Text to token ids piece by piece, each piece worked out once: people use the same words again and again.

All of this is right for the pre-tokenizer of `training.tokenizer` only, which cuts around every ASCII digit, and before
white space that follows something else: what lies between such cuts has the same tokens in any text.
"""

import re
from collections.abc import Callable

import numpy as np
from tokenizers import Tokenizer as Backend

PIECE = re.compile(r"[0-9]|[\t-\r ]*[^\t-\r 0-9]+|[\t-\r ]+")
# White space that the pre-tokenizer knows and PIECE does not: a text with it goes to the backend whole.
OTHER_SPACE = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
# One space goes with the word after it, and so do two; of longer and of mixed runs, only the last may.
RUNS_OF_SPACE = ("   ", "\n ", "\r ", "\t ", "\x0b ", "\x0c ")
SHORT = 8  # characters: what stands around people's texts, such as "model" and a newline
KEPT = 100_000  # words, or pieces: some 20 MB
LONGEST_KEPT = 64  # characters


class Pieces:
    """Encodes as the backend does, many times faster. Tokens are the bytes of int32 ids, which join at C's speed."""

    def __init__(self, backend: Backend):
        self._backend = backend
        self._pieces = _Known(self._by_backend)
        self._words = _Known(lambda word: self._by_piece(f" {word}"))  # by what follows the space

    def encode(self, text: str) -> bytes:
        """The token ids of `text`."""
        if len(text) <= SHORT:
            return self._pieces[text]
        if not text.isascii() and OTHER_SPACE.search(text):
            return self._by_backend(text)
        if text.endswith(" ") or any(run in text for run in RUNS_OF_SPACE):
            return self._by_piece(text)
        tokens = []
        for number, stretch in enumerate(text.split("  ")):
            first, *words = stretch.split(" ")
            tokens.append(self._words[f" {first}"] if number else self._by_piece(first))
            tokens += map(self._words.__getitem__, words)
        return b"".join(tokens)

    def _by_piece(self, text: str) -> bytes:
        return b"".join(map(self._pieces.__getitem__, PIECE.findall(text)))

    def _by_backend(self, text: str) -> bytes:
        return np.array(self._backend.encode(text, add_special_tokens=False).ids, np.int32).tobytes()


class _Known(dict[str, bytes]):
    """Tokens of texts by the text, worked out when first asked for."""

    def __init__(self, work: Callable[[str], bytes]):
        self._work = work

    def __missing__(self, text: str) -> bytes:
        tokens = self._work(text)
        if len(text) <= LONGEST_KEPT:
            if len(self) >= KEPT:
                self.clear()
            self[text] = tokens
        return tokens
