"""Text to token ids and back: a byte-level BPE, learned from a dataset's train rows and saved with the run.

Any text goes in and comes out unchanged. Digits are always single tokens, so that numbers have one spelling. Control
tokens enter by their ids only: `<end_of_turn>` inside a person's text is encoded as the characters it is.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

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


def training_texts(rows: Iterable[Row], instruction: str) -> Iterable[str]:
    """The text a tokenizer learns from: the same for every recipe, so that two arms of a comparison share it."""
    for row in rows:
        yield f"user\n{plain_prompt(row['prompt'], instruction)}"
        yield f"model\n{plain_response(row, TRACE_SFT)}"


class Tokenizer:
    """Turns rows into token ids; make one with `train` or `load`."""

    pad_id, eos_id, bos_id, unk_id, start_of_turn_id, end_of_turn_id = range(len(SPECIAL_TOKENS))

    def __init__(self, backend: Backend):
        backend.encode_special_tokens = True  # a turn token within text is text
        self._backend = backend
        self._pieces = Pieces(backend)

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "Tokenizer":
        """Learns at most `vocab_size` tokens; the same texts give the same tokenizer, in any order."""
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
        backend.train_from_iterator(texts, trainer)
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
        return [self.bos_id, *self._encode(prompt_segments(prompt, instruction))]

    def encode_response(self, row: Row, recipe: str) -> list[int]:
        """What the model is taught to say, `<end_of_turn>` included."""
        return self._encode(response_segments(row, recipe))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of any ids: bytes that are no UTF-8, and NUL, become U+FFFD; control tokens show by name."""
        return self._backend.decode(list(ids), skip_special_tokens=False).replace("\0", "\ufffd")

    def _encode(self, segments: Iterable[Segment]) -> list[int]:
        ids: list[int] = []
        for segment in segments:
            if segment.control:
                ids.append(SPECIAL_TOKENS.index(segment.text))
            else:
                ids += self._pieces.encode(segment.text)
        return ids


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    """Cuts texts before any merging; `training.pieces` relies on where it does."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
