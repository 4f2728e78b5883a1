"""Text to token ids and back: a byte-level BPE, learned from a dataset's train rows and saved with the run, or the
tokenizer that published weights were taught with.

Any text goes in and comes out of a learned one unchanged, and digits are always single tokens, so that numbers have
one spelling. Control tokens enter by their ids only: `<end_of_turn>` inside a person's text is encoded as the
characters it is.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

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
# What does the same in the tokenizers of other families: Llama 3's, and Qwen's, which has none for a beginning.
LLAMA3 = (
    "<|end_of_text|>",
    "<|end_of_text|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|eot_id|>",
)
QWEN = ("<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>")
SPACE = "\u2581"  # what stands for a space in Gemma's tokens
BYTE = re.compile("<0x([0-9A-F]{2})>")  # its tokens for the bytes of characters that have none
BEGIN = Segment("<bos>", control=True)
# Of a train split: more change few merges, and cost time and memory.
LEARNED_ROWS, LEARNED_CHARACTERS = 20_000, 40_000_000
LONGEST_WORD = 1_000  # characters without a space, or of space alone: merging takes the square of a word's length
TOO_LONG = re.compile(rf"(\S{{{LONGEST_WORD}}}|\s{{{LONGEST_WORD}}})")
TRIAL = "\0x é"  # what is in few vocabularies: some tokenizers fail only on a text with it
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

    def __init__(self, backend: Backend):
        """`backend` has all SPECIAL_TOKENS, or another family's; it is a learned one or of a published construction."""
        backend.encode_special_tokens = True  # a turn token within text is text
        # What a published file says of the texts its model was once taught with would cut, pad and vary our rows.
        backend.no_truncation()
        backend.no_padding()
        backend.model.dropout = None
        self._backend, self._names = backend, _names_in(backend) or SPECIAL_TOKENS
        self._is_byte_level = not backend.model.byte_fallback
        self._encode_text = Pieces(backend).encode if _is_learned(backend) else self._by_backend
        ids = [backend.token_to_id(token) or 0 for token in self._names]
        self.pad_id, self.eos_id, self.bos_id, self.unk_id, self.start_of_turn_id, self.end_of_turn_id = ids
        self._controls = {token: np.int32(number).tobytes() for token, number in zip(SPECIAL_TOKENS, ids, strict=True)}

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
        """Reads what `save` wrote, or a published tokenizer.json. Raises Invalid when the file is neither."""
        try:
            backend = Backend.from_str(path.read_text(encoding="utf-8"))
            if not (wrong := _fault_of(backend)):
                tokenizer = cls(backend)
                tokenizer._by_backend(TRIAL)
                return tokenizer
        except OSError:
            raise
        except Exception as error:  # the backend raises bare Exception
            wrong = f"is no tokenizer: {error}"
        raise Invalid(Fault(("tokenizer",), f"{path} {wrong}", "tokenizer"))

    def save(self, path: Path) -> None:
        write_atomic(path, self._backend.to_str(pretty=True))

    def publish(self, path: Path) -> None:
        """As `save`, for libraries that encode a text at once: theirs then begins with `<bos>`, as Gemma's does."""
        copy = Backend.from_str(self._backend.to_str())
        begin = BEGIN.text
        copy.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", pair=f"{begin} $A {begin}:1 $B:1", special_tokens=[(begin, self.bos_id)]
        )
        write_atomic(path, copy.to_str(pretty=True))

    @property
    def vocab_size(self) -> int:
        """How many rows an embedding needs; few texts may teach fewer tokens than were asked for.

        Control tokens that are never encoded do not count: text models have no row for Gemma's token of images.
        """
        added = self._backend.get_added_tokens_decoder()
        never = {number for number, token in added.items() if token.special and token.content not in self._names}
        return 1 + max(number for number in self._backend.get_vocab().values() if number not in never)

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
        token = self._backend.id_to_token(token_id) or ""
        if self._is_byte_level:
            return token.translate(BYTES).encode("latin-1")
        byte = BYTE.fullmatch(token)
        return bytes.fromhex(byte[1]) if byte else token.replace(SPACE, " ").encode()

    def _prompt(self, prompt: str, instruction: str) -> np.ndarray:
        return self._encode([BEGIN, *prompt_segments(prompt, instruction)])

    def _response(self, row: Row, recipe: str) -> np.ndarray:
        return self._encode(response_segments(row, recipe))

    def _encode(self, segments: Iterable[Segment]) -> np.ndarray:
        parts = [self._controls[part.text] if part.control else self._encode_text(part.text) for part in segments]
        return np.frombuffer(b"".join(parts), np.int32)

    def _by_backend(self, text: str) -> bytes:
        return np.array(self._backend.encode(text, add_special_tokens=False).ids, np.int32).tobytes()


def _fault_of(backend: Backend) -> str:
    """Why a tokenizer is none of these: a learned one, one of Gemma's construction, another family's; "" when it is."""
    names = _names_in(backend)
    if names is None:
        return "lacks the turn tokens this model is taught with"
    if not isinstance(backend.model, models.BPE):
        return "is no byte-pair tokenizer"
    if backend.model.byte_fallback or names != SPECIAL_TOKENS:
        return ""
    if [backend.token_to_id(token) for token in SPECIAL_TOKENS] != list(range(len(SPECIAL_TOKENS))):
        return "lacks the turn tokens this model is taught with"
    return "" if _is_learned(backend) else "cuts texts otherwise than this model was taught"


def _names_in(backend: Backend) -> tuple[str, ...] | None:
    """Which family's control tokens a tokenizer has; None when it has those of none."""
    special = {token.content for token in backend.get_added_tokens_decoder().values() if token.special}
    return next((names for names in (SPECIAL_TOKENS, LLAMA3, QWEN) if special.issuperset(names)), None)


def _is_learned(backend: Backend) -> bool:
    return not backend.model.byte_fallback and repr(backend.pre_tokenizer) == repr(_pre_tokenizer())


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
