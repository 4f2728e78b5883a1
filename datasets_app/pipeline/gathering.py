"""The first pass of a build: every chosen trace is read once, for its row and for what decides its split."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from datasets_app.pipeline.progress import Progress
from datasets_app.pipeline.spool import Content, Spool, read_content, read_text
from datasets_app.selection import Selection, select
from traces.models import Trace
from training.groups import Groups, Resolved, age_of
from training.splits import SPLITS
from tunixrt.lib.errors import Conflict, Rule

CHUNK = 1_000  # traces read at a time


class Gathered:
    """The chosen traces, with the group and the split of each."""

    def __init__(self, selection: Selection, resolved: Resolved):
        self.selection, self.resolved = selection, resolved
        self._splits = resolved.splits()

    def __len__(self) -> int:
        return len(self.selection)

    @property
    def splits(self) -> Iterator[str]:
        """Of each row, in manifest order."""
        return (SPLITS[place] for place in self._splits)

    def items(self, size: int) -> Iterator[list[tuple[int, UUID, str, int]]]:
        """(position, trace, split, group) of every row, in lists of `size`; the group of a row that is alone is 0."""
        sizes = np.bincount(self.resolved.oldest)[self.resolved.oldest]
        groups = np.where(sizes > 1, self.resolved.digests[:, :8].copy().view(">i8")[:, 0], 0)
        start = 0
        for trace_ids in self.selection.chunks(size):
            end = start + len(trace_ids)
            splits = [SPLITS[place] for place in self._splits[start:end]]
            yield list(zip(range(start, end), trace_ids, splits, groups[start:end].tolist(), strict=True))
            start = end

    def stats(self) -> dict[str, Any]:
        """What is worth telling of the groups, and of the strata or parts that were asked for."""
        return {"groups": self.resolved.report(), "shares": self.selection.report}


def gather(request: dict[str, Any], spool: Spool, progress: Progress) -> Gathered:
    """Reads what a resolved request takes into `spool`. Raises Rule when nothing matches, Conflict when a trace that
    was chosen is gone."""
    selection = select(request)
    if not len(selection):
        raise Rule("No trace matches any more.", code="no_traces")
    progress.begin("reading traces", len(selection))
    groups = Groups(spool.path.parent)
    for trace_ids in selection.chunks(CHUNK):
        found = contents_of(trace_ids)
        for trace_id, (content, _) in zip(trace_ids, found, strict=True):
            spool.add(trace_id, content)
        ages = [age_of(created_at, trace_id) for trace_id, (_, created_at) in zip(trace_ids, found, strict=True)]
        groups.add([grouped_by(content) for content, _ in found], ages)
        progress.tell(len(spool))
    return Gathered(selection, groups.resolve(spool.prompts))


def contents_of(trace_ids: Sequence[UUID]) -> list[tuple[Content, datetime]]:
    """The canonical parts and the age of each trace, in the given order."""
    rows = Trace.objects.filter(pk__in=trace_ids).values_list("pk", "canonical", "created_at")
    found = {pk: (read_content(text), created_at) for pk, text, created_at in rows}
    if lost := [trace_id for trace_id in trace_ids if trace_id not in found]:
        raise Conflict(f"Trace {lost[0]} was deleted while the dataset was being built. Build it again.")
    return [found[trace_id] for trace_id in trace_ids]


def grouped_by(content: Content) -> dict[str, Any]:
    """As much of a trace as its group depends on."""
    meta = bytes(content.meta)
    return {"prompt": read_text(content.prompt), "meta": msgspec.json.decode(meta) if b'"problem"' in meta else None}
