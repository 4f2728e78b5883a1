"""Traces for measurements: about 1.2 kB each, words as unevenly common as in a language, the same for the same seed."""

import json
from collections.abc import Iterator
from itertools import accumulate
from random import Random

VOCABULARY = 20_000
SOURCES = ("book", "web", "exam", "forum", "model", "teacher", "rare")
LETTERS = "etaoinshrdlu"


def payloads(count: int, *, seed: int = 1) -> Iterator[dict]:
    """Word k is drawn about 1/k as often as the first (Zipf); the source `rare` is one trace in a thousand."""
    rng = Random(seed)
    words = ["".join(rng.choices(LETTERS, k=2 + number.bit_length() // 2)) for number in range(VOCABULARY)]
    weights = list(accumulate(1 / (number + 1) for number in range(VOCABULARY)))

    def text(length: int) -> str:
        return " ".join(rng.choices(words, cum_weights=weights, k=length))

    for number in range(count):
        steps = rng.randint(3, 9)
        source = "rare" if number % 1000 == 0 else SOURCES[rng.randrange(6)]
        yield {
            "trace_version": "1.0",
            "prompt": f"{text(28)} {number}?",
            "steps": [{"i": i, "type": "compute", "content": f"{text(21)} = {number + i}"} for i in range(steps)],
            "final_answer": str(number),
            "meta": {"source": source, "level": number % 10, "row": number, "tags": [f"t{number % 50}"]},
        }


def lines(count: int, *, seed: int = 1) -> Iterator[str]:
    return (json.dumps(payload, ensure_ascii=False) + "\n" for payload in payloads(count, seed=seed))
