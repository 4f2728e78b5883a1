"""Gates that look at a row as training does: in tokens."""

from collections.abc import Iterable, Sequence

from datasets_app.gates.gate import REFUSE, Finding, Gate, Row
from training.packing import Example


class TokenGate(Gate):
    """Judges a row by its tokens. A subclass says why an example breaks the rule."""

    def find(self, rows: Sequence[Row]) -> Iterable[Finding]:
        for row, example in zip(rows, self.taught.examples(rows), strict=True):
            if finding := self.judge(row, example):
                yield finding

    def judge(self, row: Row, example: Example) -> Finding | None:
        raise NotImplementedError


class TrainedTokens(TokenGate):
    """It warns: a run says how long its sequences are, and leaves out what does not fit; a dataset only reckons."""

    name = "trained_tokens"
    rule = "no row has zero trained tokens"

    def judge(self, row: Row, example: Example) -> Finding | None:
        limit = self.taught.max_length
        if example.prompt_length <= min(limit, example.length):
            return None
        why = f"its prompt alone takes {example.prompt_length} of {limit} tokens: nothing of its answer is trained"
        return Finding(example.id, why, {"prompt_tokens": example.prompt_length, "max_length": limit})


class AnswerFits(TokenGate):
    name = "answer_fits"
    rule = "no answer is cut by max_length"

    def judge(self, row: Row, example: Example) -> Finding | None:
        limit = self.taught.max_length
        if example.length <= limit:
            return None
        why = f"takes {example.length} tokens, {example.length - limit} more than max_length"
        return Finding(example.id, why, {"tokens": example.length, "max_length": limit})


class StopToken(TokenGate):
    name = "stop_token"
    rule = "the last trained token of every row is <end_of_turn>"
    action = REFUSE

    def judge(self, row: Row, example: Example) -> Finding | None:
        stop = self.taught.tokenizer.end_of_turn_id
        trained = example.tokens[example.prompt_length :]
        if len(trained) and trained[-1] == stop:
            return None
        return Finding(example.id, "is not taught to stop: its last trained token is no <end_of_turn>")


class PromptParity(TokenGate):
    name = "prompt_parity"
    rule = "the training prefix is the prompt that evaluation feeds, token for token"
    action = REFUSE

    def judge(self, row: Row, example: Example) -> Finding | None:
        fed = self.taught.tokenizer.encode_prompt(row["prompt"], self.taught.instruction)
        taught = example.tokens[: example.prompt_length].tolist()
        if taught == fed:
            return None
        place = next((i for i, pair in enumerate(zip(taught, fed, strict=False)) if pair[0] != pair[1]), len(taught))
        return Finding(example.id, f"training and evaluation differ from token {place} on", {"token": place})
