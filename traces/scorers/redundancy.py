"""How much of the steps says something new."""

import re

from traces.scorers.scorer import Judged, Scorer, remarked

WORD = re.compile(r"\w+")
RUN = 8  # words in a row that are no chance when they occur again
MIN_STEP = 5  # words of a step that repeats another one as a whole: shorter ones may, as "3×7→1" does


def score(payload: dict) -> Judged:
    """100 times the share of the steps' words that repeat neither an earlier step nor the prompt.

    A word is repeated when it lies in a run of 8 words that occurred before, or when its whole step did.
    """
    seen: dict[tuple[str, ...], int | None] = dict.fromkeys(_runs(_words(payload["prompt"])))
    total = repeated = copied = 0
    remarks = []
    for step in payload["steps"]:
        words = _words(step["content"])
        sources = _sources(words, seen, step["i"])
        total += len(words)
        repeated += sum(source != NEW for source in sources)
        copied += sum(source is None for source in sources)
        if 2 * sum(source != NEW for source in sources) > len(words):
            remarks.append((step["i"], _remark(sources)))
    if not total:
        return None, {"reason": "the steps hold no words"}
    details = {"words": total, "repeated": repeated, "from_prompt": copied} | remarked(remarks)
    return 100 * (total - repeated) / total, details


NEW = -1  # no step has this number


def _sources(words: list[str], seen: dict, i: int) -> list[int | None]:
    """For each word the step that said it before, None for the prompt, NEW for nobody. Adds the step to `seen`."""
    sources: list[int | None] = [NEW] * len(words)
    runs = [tuple(words)] if MIN_STEP <= len(words) < RUN else list(_runs(words))
    for at, run in enumerate(runs):
        if run in seen:
            sources[at : at + len(run)] = [seen[run]] * len(run)
    for run in runs:
        seen.setdefault(run, i)
    return sources


def _remark(sources: list[int | None]) -> str:
    old = [source for source in sources if source != NEW]
    whence = "the prompt" if old[0] is None else f"the step with i = {old[0]}"
    return f"{len(old)} of its {len(sources)} words repeat {whence}"


def _words(text: str) -> list[str]:
    return WORD.findall(text.casefold())


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]


SCORER = Scorer(
    name="redundancy",
    version="1",
    title="Does it repeat itself?",
    description="The share of the steps' words that repeat neither an earlier step nor the prompt.",
    score=score,
    order=6,
)
