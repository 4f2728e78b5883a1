"""What the model sees of a row: every token with what training makes of it, beside what an examination would feed."""

from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, repeat
from typing import Any

import numpy as np

from training.evalsets import item_from_row
from training.packing import Example, PackedData, encode_example
from training.renderers import Row, render_prompt
from training.tokenizer import SPECIAL_TOKENS, Tokenizer


class Kind(StrEnum):
    """What training makes of a token.

    TRAINED: the loss falls on it, it is predicted from those before. MASKED: it is read, and nothing more. CUT: it lies
    beyond `max_length`. PADDING: fills a sequence that holds this row alone; with packing, other rows stand there.
    """

    TRAINED = "trained"
    MASKED = "masked"
    CUT = "cut"
    PADDING = "padding"


@dataclass(frozen=True)
class Piece:
    """A token. The texts of all pieces in a row are the text that the tokens decode to."""

    id: int
    kind: Kind
    text: str  # what it adds to the text; the token that ends a character has all of it, those before have ""
    bytes: bytes

    @property
    def is_control(self) -> bool:
        return self.id < len(SPECIAL_TOKENS)

    @property
    def is_part(self) -> bool:
        """Whether its bytes are no text on their own: a part of a character, or more than one begins or ends in it."""
        return self.text.encode() != self.bytes

    def to_dict(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind.value, "text": self.text, "bytes": self.bytes.hex()}


@dataclass(frozen=True)
class Sight:
    """A row in tokens as training reads it with one recipe, instruction, tokenizer and length.

    `pieces` are the first tokens of the row, `prompt` the first of what an examination feeds for its question, as many
    as were asked for; all figures are of the whole row.
    """

    pieces: list[Piece]  # `<bos>` first; padding is only counted
    prompt: list[Piece]
    counts: dict[Kind, int]  # tokens of each kind; padding are the places left in a sequence of `max_length`
    prompt_length: int  # tokens
    max_length: int
    same_tokens: bool  # the masked prefix of training and the prompt of examination, token for token
    same_bytes: bool  # both, and the renderer's text, byte for byte

    @property
    def token_count(self) -> int:
        return sum(self.counts.values()) - self.counts[Kind.PADDING]

    @property
    def length(self) -> int:
        """Places that the row takes: its tokens but the last, which is only ever a target."""
        return self.token_count - 1

    @property
    def is_left_out(self) -> bool:
        """Whether the row does not fit. Training cuts nothing: it refuses such rows, or leaves them out
        (`data.overlong`), so of a row with cut tokens nothing at all is trained."""
        return self.counts[Kind.CUT] > 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "token_count": self.token_count,
            "counts": {kind.value: count for kind, count in self.counts.items()},
            "left_out": self.is_left_out,
            "tokens": [piece.to_dict() for piece in self.pieces],
            "evaluation": {"token_count": self.prompt_length, "tokens": [piece.to_dict() for piece in self.prompt]},
            "parity": {"tokens": self.same_tokens, "bytes": self.same_bytes},
        }


def look(
    row: Row, tokenizer: Tokenizer, *, recipe: str, instruction: str, max_length: int, most: int | None = None
) -> Sight:
    """What the model sees of a dataset's row, its first `most` tokens piece by piece. Raises Invalid on an unknown
    recipe.

    Kinds are read off the batch that `training.packing` makes of the row, and the prompt is made of the evalset's item
    of the row: nothing here says by itself where the loss falls or what is asked.
    """
    example = encode_example(tokenizer, row, recipe=recipe, instruction=instruction)
    fed = tokenizer.encode_prompt(item_from_row(row)["prompt"], instruction)
    trained, padding = _trained(example, max_length)
    kept = trained[: max_length + 1]  # the last token of a sequence is only ever a target
    kinds = [Kind.TRAINED if is_trained else Kind.MASKED for is_trained in kept[:most].tolist()]
    taught = example.tokens[: int(np.argmax(trained))].tolist()
    rendered = f"{SPECIAL_TOKENS[tokenizer.bos_id]}{render_prompt(row['prompt'], instruction)}".encode()
    return Sight(
        pieces=list(_pieces(tokenizer, example.tokens.tolist(), chain(kinds, repeat(Kind.CUT)), most)),
        prompt=list(_pieces(tokenizer, fed, repeat(Kind.MASKED), most)),
        counts={
            Kind.TRAINED: int(np.count_nonzero(kept)),
            Kind.MASKED: int(np.count_nonzero(~kept)),
            Kind.CUT: len(trained) - len(kept),
            Kind.PADDING: padding,
        },
        prompt_length=len(fed),
        max_length=max_length,
        same_tokens=taught == fed,
        same_bytes=_bytes(tokenizer, taught) == _bytes(tokenizer, fed) == rendered,
    )


def _trained(example: Example, max_length: int) -> tuple[np.ndarray, int]:
    """Whether the loss falls on each token, as bool [n], and the places behind them in a sequence of `max_length`.

    The mask of a batch tells it of targets, and the first token is the target of no place. A row that does not fit is
    laid out as if it did.
    """
    length = max(max_length, example.length)
    data = PackedData([example], length=length, batch_size=1, packing=False, seed=0, epochs=1)
    batch = data.batch(0)
    trained = batch.loss_mask[0, : batch.useful_tokens] == 1
    return np.concatenate([[False], trained]), length - batch.useful_tokens


def _bytes(tokenizer: Tokenizer, ids: Sequence[int]) -> bytes:
    return b"".join(map(tokenizer.token_bytes, ids))


def _pieces(tokenizer: Tokenizer, ids: Sequence[int], kinds: Iterable[Kind], most: int | None) -> Iterator[Piece]:
    """The first `most` tokens with what each adds to the text. What is no UTF-8, and NUL, is U+FFFD as in `decode`."""
    decoder = getincrementaldecoder("utf-8")("replace")
    for place, (token_id, kind) in enumerate(zip(ids[:most], kinds, strict=False), start=1):
        data = tokenizer.token_bytes(token_id)
        text = decoder.decode(data, final=place == len(ids))
        yield Piece(token_id, kind, text.replace("\0", "\ufffd"), data)
