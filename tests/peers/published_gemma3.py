"""Run in the peer environment: Gemma 3 directories as transformers writes and reads them.

`python tests/peers/published_gemma3.py make CONFIG.json DIR`: random weights in DIR/float32, sharded, bfloat16, untied
(with a head that is the embedding again) and image (the text part of a model that sees).
`python tests/peers/published_gemma3.py ask ASKED.json ANSWERS.json`, ASKED `{"directories", "tokens", "chats"}`: of
each directory its logits for `tokens` and, where it has a tokenizer, ids and greedy answer of each chat.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    SiglipVisionConfig,
)

NEW_TOKENS = 12


def make(config: Path, directory: Path) -> None:
    torch.manual_seed(0)
    text = AutoConfig.for_model(**json.loads(config.read_text()))
    model = Gemma3ForCausalLM(text)
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.2)
    model.save_pretrained(directory / "float32")
    model.save_pretrained(directory / "sharded", max_shard_size="40KB")
    make_untied(model, directory / "untied")
    make_image(model, directory / "image")
    model.to(torch.bfloat16).save_pretrained(directory / "bfloat16")


def make_untied(model: Gemma3ForCausalLM, directory: Path) -> None:
    model.save_pretrained(directory)
    tensors = load_file(directory / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


def make_image(model: Gemma3ForCausalLM, directory: Path) -> None:
    eyes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = SiglipVisionConfig(image_size=28, patch_size=14, **eyes)
    seeing = Gemma3ForConditionalGeneration(
        Gemma3Config(text_config=model.config, vision_config=vision, mm_tokens_per_image=4)
    )
    seeing.model.language_model.load_state_dict(model.model.state_dict())
    seeing.save_pretrained(directory)


def ask(asked: dict) -> dict:
    return {name: answers(name, asked["tokens"], asked["chats"]) for name in asked["directories"]}


@torch.inference_mode()
def answers(directory: str, tokens: list[list[int]], chats: list[list[dict]]) -> dict:
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    found = {"logits": model(torch.tensor(tokens)).logits.tolist()}
    if not (Path(directory) / "tokenizer.json").exists():
        return found
    tokenizer = AutoTokenizer.from_pretrained(directory)
    ids = [tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"] for chat in chats]
    written = [model.generate(torch.tensor([prompt]), max_new_tokens=NEW_TOKENS)[0].tolist() for prompt in ids]
    new = [whole[len(prompt) :] for whole, prompt in zip(written, ids, strict=True)]
    return found | {
        "ids": ids,
        "answers": new,
        "texts": [tokenizer.decode(answer) for answer in new],
        "plain": tokenizer(chats[0][-1]["content"])["input_ids"],
    }


what, given, result = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
if what == "make":
    make(given, result)
else:
    result.write_text(json.dumps(ask(json.loads(given.read_text()))))
