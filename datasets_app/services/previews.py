"""What a build would make, before anything is made."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models.functions import Length

from datasets_app.build_request import BY_HASH, BuildRequest, read_build_request
from datasets_app.gates import Taught, action_of, open_gates
from datasets_app.histograms import Bin, histogram
from datasets_app.rows import row_of
from datasets_app.selection import foreseen, glimpse, matching, select
from datasets_app.strata import NONE
from traces.models import Trace
from traces.services.selection import Count, count_up_to
from training.config import TokenizerConfig
from training.splits import group_of, split_of
from training.tokenizer import Tokenizer, training_texts

LOOKED_AT = 50_000  # traces: to draw from more takes too long while a person types
SAMPLE = 500
SAMPLE_CHARACTERS = 500_000
EXAMPLES = 3
CATEGORIES = 6  # counted by name; the others are counted together


@dataclass(frozen=True)
class Preview:
    """What a request would take, and how a sample of `sampled` rows looks.

    The sample is of what would be taken; where drawing that would take long (not `is_drawn`), of what matches, and
    `taken` is at most. `shares` are as in a selection's report. The gates reckon with a tokenizer that has learned
    from the sample alone, so what they say of tokens is an estimate.
    """

    count: Count
    taken: int
    shares: list[dict[str, Any]]
    is_drawn: bool
    sampled: int = 0
    examples: list[Trace] = field(default_factory=list)
    lengths: list[Bin] = field(default_factory=list)
    steps: list[Bin] = field(default_factory=list)
    category: str = "source"  # what they are categories of
    categories: dict[str, int] = field(default_factory=dict)
    gates: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {
            "count": self.count.number,
            "is_more": self.count.is_more,
            "taken": self.taken,
            "shares": self.shares,
            "is_drawn": self.is_drawn,
            "sampled": self.sampled,
            "examples": [{"id": trace.pk, **trace.payload} for trace in self.examples],
            "characters": [bin.to_dict() for bin in self.lengths],
            "steps": [bin.to_dict() for bin in self.steps],
            "category": self.category,
            "categories": self.categories,
            "gates": self.gates,
        }


def preview_build(*, request: object) -> Preview:
    """What `request` would take now; without a seed, what the seed 0 would. Stores nothing. Raises Invalid."""
    wanted = read_build_request(request)
    resolved = wanted.resolved(wanted.seed or 0)
    rows, shares = foreseen(resolved)
    count = _count(wanted, shares)
    looked_at = count.number + count.is_more if wanted.selection_strategy in BY_HASH else rows
    is_drawn = looked_at <= LOOKED_AT
    if is_drawn:
        selection = select(resolved)
        rows, shares = len(selection), selection.report
    traces = _read(selection.sample(SAMPLE) if is_drawn else glimpse(resolved, SAMPLE))
    return Preview(
        count=count,
        taken=min(rows, wanted.most),
        shares=shares,
        is_drawn=is_drawn,
        sampled=len(traces),
        examples=traces[:EXAMPLES],
        lengths=histogram([trace.character_count for trace in traces]),
        steps=histogram([trace.step_count for trace in traces]),
        category="part" if wanted.mix else wanted.stratify_by or "source",
        categories=_largest(Counter(_taken(shares) or (trace.source or NONE for trace in traces))),
        gates=_judge(traces, wanted) if traces else [],
    )


def _count(wanted: BuildRequest, shares: list[dict[str, Any]]) -> Count:
    """How many traces match, in all parts of a mix."""
    if not shares:
        return count_up_to(matching(wanted.filters), LOOKED_AT)
    return Count(sum(share["rows"] for share in shares), False)


def _read(trace_ids: list[UUID]) -> list[Trace]:
    """The traces in this order, as many as SAMPLE_CHARACTERS allow but one at least."""
    lengths = dict(Trace.objects.filter(pk__in=trace_ids).values_list("pk", Length("canonical")))
    chosen, total = list[UUID](), 0
    for trace_id in filter(lengths.__contains__, trace_ids):
        total += lengths[trace_id]
        if chosen and total > SAMPLE_CHARACTERS:
            break
        chosen.append(trace_id)
    found = Trace.objects.defer("words", "meta").in_bulk(chosen)
    return [found[trace_id] for trace_id in chosen if trace_id in found]


def _taken(shares: list[dict[str, Any]]) -> dict[str, int]:
    return {share["value"]: share["taken"] for share in shares}


def _largest(counts: Counter[str]) -> dict[str, int]:
    """The CATEGORIES largest, largest first, and the others together."""
    named = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:CATEGORIES])
    others = counts.total() - sum(named.values())
    return named | ({f"{len(counts) - len(named)} others": others} if others else {})


def _judge(traces: list[Trace], wanted: BuildRequest) -> list[dict[str, Any]]:
    """What the gates find in the traces; their findings one by one are left to the build."""
    rows = [row_of(trace.pk, split_of(group_of(trace.payload)), trace.payload) for trace in traces]
    tokenizer = Tokenizer.train(training_texts(rows, wanted.instruction), TokenizerConfig().vocab_size)
    gates = open_gates(Taught(wanted.recipe, wanted.instruction, wanted.max_length, tokenizer))
    for gate in gates:
        gate.look(rows)
    results = [gate.result(action_of(gate.name, wanted.gates)) for gate in gates]
    return [{name: value for name, value in result.items() if name != "findings"} for result in results]
