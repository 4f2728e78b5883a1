"""What the tests of problems share: traces to look at, and the verdict on single steps."""

import hashlib

from training.canonical import canonical_json
from training.problems import PROBLEMS, generate_traces


def make_traces(name: str, count: int = 200, seed: int = 5, difficulty: int | None = None) -> list[dict]:
    return list(generate_traces(name, count=count, seed=seed, difficulty=difficulty))


def verdicts(trace: dict, name: str | None = None) -> list[bool]:
    return [check.ok for check in PROBLEMS[name or trace["meta"]["problem"]].check(trace)]


def reasons(name: str, prompt: str, *steps: str) -> list[str]:
    """Why each step is wrong, "" for a right one."""
    numbered = [{"i": i, "type": "compute", "content": text} for i, text in enumerate(steps)]
    checks = PROBLEMS[name].check({"prompt": prompt, "steps": numbered})
    assert [check.i for check in checks] == list(range(len(steps)))
    assert all(check.ok == (not check.reason) for check in checks)
    return [check.reason for check in checks]


def digest(name: str) -> str:
    """SHA-256 of fifty traces of seed 42. It must never change: datasets of years are made again from their seeds."""
    text = "\n".join(canonical_json(trace) for trace in make_traces(name, count=50, seed=42))
    return hashlib.sha256(text.encode()).hexdigest()


def contents(trace: dict) -> list[str]:
    return [step["content"] for step in trace["steps"]]
