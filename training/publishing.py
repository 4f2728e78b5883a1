"""What stands beside the tensors of an exported model, as `transformers` reads it. Known without jax."""

from pathlib import Path
from typing import Any

from training.files import write_json_atomic
from training.published import CONFIG, TOKENIZER_FILE, describe_shape
from training.renderers import CHAT_TEMPLATE, END_OF_TURN, START_OF_TURN
from training.shapes import ModelShape
from training.tokenizer import Tokenizer

MAX_POSITIONS = 32_768  # of the published 270m and 1b; nothing in the model depends on it


def write_descriptions(directory: Path, shape: ModelShape, tokenizer: Tokenizer) -> None:
    """Writes config.json, generation_config.json, tokenizer.json and tokenizer_config.json."""
    ids = {"bos_token_id": tokenizer.bos_id, "pad_token_id": tokenizer.pad_id}
    config = {"eos_token_id": tokenizer.eos_id, "max_position_embeddings": MAX_POSITIONS, "dtype": "float32"}
    # As examinations ask whose config does not draw: the likeliest token, until the turn ends; padding is never said.
    answers = {"do_sample": False, "eos_token_id": tokenizer.end_of_turn_id, "suppress_tokens": [tokenizer.pad_id]}
    write_json_atomic(directory / CONFIG, describe_shape(shape) | ids | config)
    write_json_atomic(directory / "generation_config.json", ids | answers)
    write_json_atomic(directory / "tokenizer_config.json", _describe_tokenizer())
    tokenizer.publish(directory / TOKENIZER_FILE)


def _describe_tokenizer() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{role}_token": f"<{role}>" for role in ("bos", "eos", "pad", "unk")},
        "additional_special_tokens": [START_OF_TURN, END_OF_TURN],
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
    }
