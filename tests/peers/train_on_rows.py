"""Run in the peer environment: TRL's trainers take exported rows, and say which tokens they see and teach.

`python tests/peers/train_on_rows.py FORMAT SOURCE… RESULT.json`, FORMAT one of stepwise, messages, prompt_completion.
The model is tiny and random, the tokenizer knows bytes and Gemma's turns; one update is made. RESULT lists for each
source a dict a row: `text`, the whole input, and `taught`, the text under the loss (for `stepwise` the labels).
"""

import json
import sys
from pathlib import Path

from datasets import Dataset, load_dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    PreTrainedTokenizerFast,
    Qwen2Config,
)
from trl import SFTConfig, SFTTrainer
from trl.experimental.prm import PRMConfig, PRMTrainer

# Gemma's own, with the mark that tells TRL which part the assistant says.
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<start_of_turn>' + ('model' if message.role == 'assistant' else message.role) + '\\n' }}"
    "{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content + '<end_of_turn>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message.content + '<end_of_turn>\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)


def main() -> None:
    format, *sources, result = sys.argv[1:]
    trained = [train(format, Path(source), result + ".run") for source in sources]
    Path(result).write_text(json.dumps(trained))


def train(format: str, source: Path, output: str) -> list[dict]:
    rows, tokenizer = load(source), byte_tokenizer()
    options = {"output_dir": output, "report_to": "none", "max_steps": 1, "use_cpu": True, "bf16": False}
    options |= {"per_device_train_batch_size": 2, "max_length": None}
    if format == "stepwise":
        model = AutoModelForTokenClassification.from_config(tiny(tokenizer))
        trainer = PRMTrainer(model, PRMConfig(**options), train_dataset=rows, processing_class=tokenizer)
    else:
        if format == "messages":
            rows, options = rows.select_columns(["messages"]), options | {"assistant_only_loss": True}
        model = AutoModelForCausalLM.from_config(tiny(tokenizer))
        trainer = SFTTrainer(model, SFTConfig(**options), train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    return [described(row, format, tokenizer) for row in trainer.train_dataset]


def load(source: Path) -> Dataset:
    if source.is_dir():
        return load_dataset(str(source), split="train")
    return load_dataset("json", data_files=str(source), split="train")


def described(row: dict, format: str, tokenizer: PreTrainedTokenizerFast) -> dict:
    labels = [label for label in row["labels"] if label != -100]
    text = tokenizer.decode(row["input_ids"])
    return {"text": text, "taught": labels if format == "stepwise" else tokenizer.decode(labels)}


def tiny(tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    return Qwen2Config(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, num_labels=2, **sizes, **heads)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token a byte, and the control tokens."""
    alphabet = {character: number for number, character in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        additional_special_tokens=["<start_of_turn>", "<end_of_turn>"],
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = TEMPLATE
    return made


main()
