"""Text to token ids and back: a byte-level BPE, learned from a dataset's train rows and saved with the run.

Any text goes in and comes out unchanged. Digits are always single tokens, so that numbers have one spelling. Control
tokens enter by their ids only: `<end_of_turn>` inside a person's text is encoded as the characters it is.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers

from training.errors import Fault, Invalid
from training.files import write_atomic
from training.pieces import Pieces
from training.renderers import (
    END_OF_TURN,
    START_OF_TURN,
    TRACE_SFT,
    Row,
    Segment,
    plain_prompt,
    plain_response,
    prompt_segments,
    response_segments,
)

SPECIAL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", START_OF_TURN, END_OF_TURN)  # ids 0 to 5, the first four as Gemma
CONTROLS = {token: np.int32(number).tobytes() for number, token in enumerate(SPECIAL_TOKENS)}
BEGIN = Segment("<bos>", control=True)
# Of a train split: more change few merges, and cost time and memory.
LEARNED_ROWS, LEARNED_CHARACTERS = 20_000, 40_000_000
LONGEST_WORD = 1_000  # characters without a space, or of space alone: merging takes the square of a word's length
TOO_LONG = re.compile(rf"(\S{{{LONGEST_WORD}}}|\s{{{LONGEST_WORD}}})")
TOKENIZER_VERSION = 2  # goes up whenever `tokenizer_for` gives another tokenizer for the same arguments


def tokenizer_for(rows: Iterable[Row], instruction: str, vocab_size: int) -> "Tokenizer":
    """The tokenizer of a dataset, learned from its train split. `rows` (of all splits) are read once.

    Of a train split of more than LEARNED_ROWS or LEARNED_CHARACTERS those rows are taken whose ids have the smallest
    SHA-256: a function of the rows alone, so a run and a page that shows its tokens have the same tokenizer. In memory
    are their texts.
    """
    train = (row for row in rows if row["split"] == "train")
    return Tokenizer.train(_sampled_texts(train, instruction), vocab_size)


def training_texts(rows: Iterable[Row], instruction: str) -> Iterator[str]:
    """The text a tokenizer learns from: the same for every recipe, so that two arms of a comparison share it.

    The tags of `reasoning_tags_v1` are learned where the instruction names them, as that recipe's own does.
    """
    for row in rows:
        yield f"user\n{plain_prompt(row['prompt'], instruction)}"
        yield f"model\n{plain_response(row, TRACE_SFT)}"


def _sampled_texts(rows: Iterable[Row], instruction: str) -> Iterator[str]:
    """The texts of the rows that are learned from, in the rows' order."""
    kept: list[tuple[int, int, list[str]]] = []  # a heap: on top is the largest hash, the first to go
    characters, gone = 0, -(2**256)  # the hash that went last: what is larger need not be looked at
    for place, row in enumerate(rows):
        key = -int.from_bytes(sha256(str(row["id"]).encode()).digest())
        if key <= gone:
            continue
        texts = list(training_texts([row], instruction))
        heappush(kept, (key, place, texts))
        characters += sum(map(len, texts))
        while len(kept) > 1 and (len(kept) > LEARNED_ROWS or characters > LEARNED_CHARACTERS):
            gone, _, texts = heappop(kept)
            characters -= sum(map(len, texts))
    return chain.from_iterable(texts for _, _, texts in sorted(kept, key=lambda entry: entry[1]))


class Tokenizer:
    """Turns rows into token ids; make one with `train` or `load`."""

    pad_id, eos_id, bos_id, unk_id, start_of_turn_id, end_of_turn_id = range(len(SPECIAL_TOKENS))

    def __init__(self, backend: Backend):
        backend.encode_special_tokens = True  # a turn token within text is text
        self._backend = backend
        self._pieces = Pieces(backend)

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Learns at most `vocab_size` tokens; the same texts give the same tokenizer, in any order.

        Words of more than LONGEST_WORD characters are learned from in pieces.
        """
        backend = Backend(models.BPE())
        backend.pre_tokenizer = _pre_tokenizer()
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            show_progress=False,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        backend.train_from_iterator(_with_short_words(texts), trainer)
        return cls(backend)

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Reads what `save` wrote. Raises Invalid when the file is no tokenizer of ours."""
        text = path.read_text(encoding="utf-8")
        try:
            tokenizer = cls(Backend.from_str(text))
        except Exception as error:  # the backend raises bare Exception
            raise Invalid(Fault(("tokenizer",), f"{path} is no tokenizer: {error}", "tokenizer"))
        if [tokenizer._backend.token_to_id(token) for token in SPECIAL_TOKENS] != list(range(len(SPECIAL_TOKENS))):
            raise Invalid(Fault(("tokenizer",), f"{path} lacks the turn tokens this model is taught with", "tokenizer"))
        if repr(tokenizer._backend.pre_tokenizer) != repr(_pre_tokenizer()):
            raise Invalid(Fault(("tokenizer",), f"{path} cuts texts otherwise than this model was taught", "tokenizer"))
        return tokenizer

    def save(self, path: Path) -> None:
        write_atomic(path, self._backend.to_str(pretty=True))

    @property
    def vocab_size(self) -> int:
        """How many tokens there are; few texts may teach fewer than were asked for."""
        return self._backend.get_vocab_size()

    def encode_prompt(self, prompt: str, instruction: str) -> list[int]:
        """`<bos>` and the prefix that the model answers to."""
        return self._prompt(prompt, instruction).tolist()

    def encode_response(self, row: Row, recipe: str) -> list[int]:
        """What the model is taught to say, `<end_of_turn>` included."""
        return self._response(row, recipe).tolist()

    def encode_row(self, row: Row, recipe: str, instruction: str) -> tuple[np.ndarray, int]:
        """`encode_prompt`, then `encode_response`: int32 [n], and how many of them are the prompt."""
        prompt = self._prompt(row["prompt"], instruction)
        return np.concatenate([prompt, self._response(row, recipe)]), len(prompt)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of any ids: bytes that are no UTF-8, and NUL, become U+FFFD; control tokens show by name."""
        return self._backend.decode(list(ids), skip_special_tokens=False).replace("\0", "\ufffd")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for: a part of a character's UTF-8 or more; a control token's name."""
        return (self._backend.id_to_token(token_id) or "").translate(BYTES).encode("latin-1")

    def _prompt(self, prompt: str, instruction: str) -> np.ndarray:
        return self._encode([BEGIN, *prompt_segments(prompt, instruction)])

    def _response(self, row: Row, recipe: str) -> np.ndarray:
        return self._encode(response_segments(row, recipe))

    def _encode(self, segments: Iterable[Segment]) -> np.ndarray:
        parts = [CONTROLS[part.text] if part.control else self._pieces.encode(part.text) for part in segments]
        return np.frombuffer(b"".join(parts), np.int32)


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """Cuts texts before any merging; `training.pieces` relies on where it does."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])


def _with_short_words(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if len(text) <= LONGEST_WORD:
            yield text
        else:
            yield from TOO_LONG.split(text)


def _byte_alphabet() -> dict[int, int]:
    """Byte-level BPE writes bytes that are no printable Latin-1 as characters from U+0100 on (Radford et al. 2019)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {0x100 + place: byte for place, byte in enumerate(others)}


BYTES = _byte_alphabet()
