"""Checks on the full published files, where they lie on this machine: every row is taken in, none is lost."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from traces.ungar import TASKS, traces_of
from training.arithmetic import Equation, check_steps, equations
from training.formats import read_traces
from training.packing import encode_example
from training.problems.high_card_duel import PROBLEM
from training.renderers import RECIPES, render, render_prompt
from training.sight import Kind, look
from training.tokenizer import Tokenizer, tokenizer_for

ROOT = Path(__file__).resolve().parent.parent
CALCULATOR_NOTE = re.compile(r"<<[^<>]*>>")
# What docs/gsm8k.md says; whoever changes the reader of equations looks at what it finds and writes it there anew.
ARITHMETIC = {
    "traces": 8792,
    "with equations": 8611,
    "with a wrong one": 25,
    "right": 28933,
    "rounded": 9,
    "wrong": 26,
    "notes": 27998,
    "notes with a sum": 27558,
    "notes read alike": 27241,
    "notes read otherwise": 12,
    "mistakes put in": 28933,
    "mistakes found": 28412,
}


def main(folder: Path) -> int:
    """Reads GSM8K and the recorded episodes of UNGAR; prints what it found, and answers 1 when anything is missing."""
    return (
        gsm8k(folder)
        or arithmetic(folder)
        or sight(folder)
        or ungar(folder)
        or subprocess.run([sys.executable, "-m", "training.validate_golden"]).returncode
    )


def gsm8k(folder: Path) -> int:
    """Converts both files and counts steps against lines."""
    for name, rows in (("train", 7473), ("test", 1319)):
        found = [payload for _, payload in read_gsm8k(folder, name)]
        bad = [payload for payload in found if not isinstance(payload, dict)]
        steps = sum(len(payload["steps"]) for payload in found if isinstance(payload, dict))
        print(f"gsm8k {name}: {len(found)} rows, {steps} steps, {len(bad)} refused")
        if len(found) != rows or bad:
            return 1
    return 0


def sight(folder: Path) -> int:
    """Holds what training masks against what an examination feeds: every row of GSM8K, under every recipe.

    Recipes of one instruction share a tokenizer, so it is two that are learned.
    """
    rows = [
        {**payload, "id": f"{name}-{line}", "split": name}
        for name in ("train", "test")
        for line, payload in read_gsm8k(folder, name)
    ]
    tokenizers = {
        instruction: tokenizer_for(rows, instruction, 512)
        for instruction in {recipe.instruction for recipe in RECIPES.values()}
    }
    wrong = 0
    for name, recipe in RECIPES.items():
        tokenizer = tokenizers[recipe.instruction]
        differing = sum(not is_seen_right(row, tokenizer, name, recipe.instruction) for row in rows)
        print(f"gsm8k as {name}: {len(rows)} rows, {differing} whose prompts differ")
        wrong += differing
    return int(wrong > 0 or len(rows) != 8792)


def is_seen_right(row: dict, tokenizer: Tokenizer, recipe: str, instruction: str) -> bool:
    """Whether the masked prefix of a row is the prompt, token for token and byte for byte, and the rest is trained."""
    seen = look(row, tokenizer, recipe=recipe, instruction=instruction, max_length=2**15, most=0)
    fed = tokenizer.encode_prompt(row["prompt"], instruction)
    taught = encode_example(tokenizer, row, recipe=recipe, instruction=instruction).tokens.tolist()
    prefix, response = taught[: seen.counts[Kind.MASKED]], taught[seen.counts[Kind.MASKED] :]
    prompt, whole = render_prompt(row["prompt"], instruction), render(row, recipe, instruction)
    return (
        (seen.same_tokens and seen.same_bytes and seen.counts[Kind.CUT] == 0)
        and (prefix == fed and len(response) == seen.counts[Kind.TRAINED])
        and (tokenizer.decode(prefix) == f"<bos>{prompt}" and tokenizer.decode(taught) == f"<bos>{whole}")
    )


def read_gsm8k(folder: Path, name: str) -> list[tuple[int, dict]]:
    """The traces of a file of GSM8K with their lines."""
    with (folder / "gsm8k" / f"{name}.jsonl").open("rb") as stream:
        return list(read_traces(stream, source="gsm8k", max_line_bytes=2**20))


def arithmetic(folder: Path) -> int:
    """Reads every equation in GSM8K, and holds it against the calculator's note beside it; as docs/gsm8k.md tells."""
    counts = dict.fromkeys(ARITHMETIC, 0)
    for name in ("train", "test"):
        path = folder / "gsm8k" / f"{name}.jsonl"
        payloads = [payload for _, payload in read_gsm8k(folder, name)]
        for payload, line in zip(payloads, path.read_text().splitlines(), strict=True):
            checked = check_steps(step["content"] for step in payload["steps"])
            counts["traces"] += 1
            counts["with equations"] += any(checked.equations)
            counts["with a wrong one"] += checked.first_wrong is not None
            for verdict in ("right", "rounded", "wrong"):
                counts[verdict] += checked.count(verdict)
            further = notes(json.loads(line)["answer"], checked.equations)
            for step, found in zip(payload["steps"], checked.equations, strict=True):
                further += spoiled(step["content"], found)
            for key, number in further.items():
                counts[key] += number
    print("gsm8k arithmetic:", ", ".join(f"{number} {name}" for name, number in counts.items()))
    return int(counts != ARITHMETIC)


def notes(answer: str, read: list[list[Equation]]) -> Counter:
    """How many calculator notes there are, how many work something out, and how many of those we read alike."""
    counts: Counter = Counter()
    lines = [line for line in answer.split("\n") if line.strip()]
    for line, found in zip(lines[:-1], read, strict=True):
        values = {value for equation in found for value in (equation.left, equation.right)}
        for note in CALCULATOR_NOTE.findall(line):
            sums = equations(note)
            counts["notes"] += 1
            counts["notes with a sum"] += bool(sums)
            counts["notes read alike"] += bool(sums) and sums[-1].right in values
            counts["notes read otherwise"] += bool(sums) and bool(values) and sums[-1].right not in values
    return counts


def spoiled(text: str, found: list[Equation]) -> Counter:
    """Puts a mistake into the last digit of each right equation, one at a time: how many of them are found?"""
    counts: Counter = Counter()
    for equation in found:
        at = max((at for at in range(equation.start, equation.end) if text[at] in "0123456789"), default=None)
        if equation.verdict == "right" and at is not None:
            other = f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"
            wrong = {again.start for again in equations(other) if again.verdict == "wrong"}
            counts["mistakes put in"] += 1
            counts["mistakes found"] += equation.start in wrong
    return counts


def ungar(folder: Path) -> int:
    """Every recorded episode as a trace of each task: played again by UNGAR where it is installed, else replayed."""
    path = folder / "ungar_high_card_duel.jsonl"
    recorded = [json.loads(line) for line in path.read_text().splitlines()]
    player = "UNGAR itself" if find_spec("ungar") else "the recording"
    if player == "the recording":
        os.environ["UNGAR_RECORDING"] = str(path)
        sys.path.insert(0, str(ROOT / "tests" / "fixtures" / "ungar_replay"))
    wrong = 0
    for task in TASKS:
        for row, trace in zip(recorded, traces_of(task=task, count=len(recorded), seed=0), strict=True):
            wrong += not is_right(row, trace)
    print(f"ungar: {len(recorded)} episodes played by {player}, as {' and '.join(TASKS)}, {wrong} wrong")
    return int(len(recorded) != 300 or wrong > 0)


def is_right(row: dict, trace: dict) -> bool:
    meta = trace["meta"]
    cards = all(meta[name] == row[name] for name in ("seed", "my_card", "opponent_card"))
    result = meta["result"] == {1.0: "win", -1.0: "loss", 0.0: "tie"}[row["rewards"][0]]
    return cards and result and ("task" not in meta or all(step.ok for step in PROBLEM.check(trace)))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
