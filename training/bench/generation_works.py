"""Generation beside others."""

from statistics import mean

from training.bench import material
from training.bench.setting import Setting
from training.bench.turns import OURS, Row, rows
from training.bench.wire import Absent, Contestant

PROMPTS, NEW_TOKENS = 100, 128
PROMPT_LENGTHS = {"equal": (60, 60), "varied": (20, 100)}


def generate(setting: Setting, kind: str) -> list[Row]:
    """Greedy answers to prompts; prompts that vary in length get answers that vary."""
    shape, (shortest, longest) = setting.shape, PROMPT_LENGTHS[kind]
    weights = material.talkative_weights(shape)
    job = setting.job(
        shape,
        prompts=material.prompts(shape, PROMPTS, shortest, longest),
        max_new_tokens=NEW_TOKENS,
        stop_id=shape.vocab_size,  # no such token: every answer has full length
        static=False,
    )
    if shortest != longest:
        try:
            with Contestant("ours:generation", job, weights) as ours:
                job["stop_id"] = stop_that_varies_lengths(ours.round()["tokens"])
        except Absent:
            pass  # the turns below say why
    turns = setting.compete(
        {
            OURS: Contestant("ours:generation", job, weights),
            "static": Contestant("ours:generation", job | {"static": True}, weights),
            "tunix": Contestant("with_tunix:generation", job, weights),
            "transformers": Contestant("with_torch:generation", job, weights),
        }
    )
    return rows(f"generate_{kind}", "tokens/s", turns)


def stop_that_varies_lengths(answers: list[list[int]]) -> int:
    """The token that ends answers at about half their length on average, when it is taken as the stop token."""

    def mean_length(stop: int) -> float:
        return mean(answer.index(stop) if stop in answer else len(answer) for answer in answers)

    tokens = {token for answer in answers for token in answer}
    return min(sorted(tokens), key=lambda stop: abs(mean_length(stop) - NEW_TOKENS / 2))
