"""The tokenizers of datasets, each learned once and kept in `TUNIXRT_HOME/tokenizers/`."""

import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from django.conf import settings

from training.canonical import canonical_json, sha256_hex
from training.renderers import Row
from training.tokenizer import TOKENIZER_VERSION, Tokenizer, tokenizer_for

KEPT = 50  # files; the one that was wanted longest ago goes first

_learning = Lock()  # who wants one that another thread is learning waits for it


def tokenizer_path(content_sha256: str, *, instruction: str, vocab_size: int) -> Path:
    """Where the tokenizer is kept that a run on the dataset of this content learns."""
    asked = [TOKENIZER_VERSION, content_sha256, instruction, vocab_size]
    return settings.TUNIXRT_HOME / "tokenizers" / f"{sha256_hex(canonical_json(asked))}.json"


def kept_tokenizer(content_sha256: str, rows: Iterable[Row], *, instruction: str, vocab_size: int) -> Tokenizer:
    """The tokenizer of a dataset: the one that is kept, or one learned from its `rows` (only then are they read)."""
    path = tokenizer_path(content_sha256, instruction=instruction, vocab_size=vocab_size)
    if tokenizer := _load(path):
        return tokenizer
    with _learning:
        if tokenizer := _load(path):
            return tokenizer
        tokenizer = tokenizer_for(rows, instruction, vocab_size)
        tokenizer.save(path)
    _forget(path.parent)
    return tokenizer


def _load(path: Path) -> Tokenizer | None:
    try:
        os.utime(path)
        return Tokenizer.load(path)
    except FileNotFoundError:
        return None


def _forget(directory: Path) -> None:
    """Keeps KEPT files. Another process may do the same at the same time."""
    found = sorted(((path.stat().st_mtime_ns, path) for path in directory.glob("*.json")), reverse=True)
    for _, path in found[KEPT:]:
        path.unlink(missing_ok=True)
