"""A small tokenizer built as Gemma's is: bytes where no character is known, `▁` for spaces, its control ids."""

import json
from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CONTROLS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]", *(f"<unused{n}>" for n in range(99))]
TURNS = ["<start_of_turn>", "<end_of_turn>"]  # 105 and 106, as published
LINES = ["\n" * n for n in range(1, 5)]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
IMAGE = "<image_soft_token>"  # the last id: text models have no row for it


def gemma_tokenizer(texts: Iterable[str], vocab_size: int = 800) -> Tokenizer:
    """Its merges are learned from `texts`."""
    characters, merges = _learned(texts, vocab_size - 500)
    tokens = [*CONTROLS, *TURNS, *LINES, *BYTES, *characters, *("".join(pair) for pair in merges)]
    vocab = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)]
    )
    made.add_special_tokens([AddedToken(token, normalized=False) for token in [*CONTROLS[:4], *TURNS]])
    made.add_tokens([AddedToken(token, normalized=False) for token in LINES])
    made.add_special_tokens([AddedToken(IMAGE, normalized=False)])
    return made


def _learned(texts: Iterable[str], vocab_size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """Characters and merges that a plain BPE finds."""
    plain = Tokenizer(models.BPE())
    plain.normalizer = normalizers.Replace(" ", "▁")
    plain.pre_tokenizer = pre_tokenizers.Split("\n", "removed")
    plain.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False))
    model = json.loads(plain.to_str())["model"]
    merges = [tuple(pair) for pair in model["merges"]]
    return [token for token in model["vocab"] if len(token) == 1], merges
