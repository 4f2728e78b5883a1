"""What is asked of the rows of datasets."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Exists, F, Min, OuterRef, Q, Subquery

from traces.models import Trace

if TYPE_CHECKING:
    from datasets_app.models.datasets import Dataset


class ItemQuerySet(models.QuerySet):
    """Items of one dataset, alone and beside another one."""

    def of_group(self, group: int) -> Self:
        """The rows of a group of several. SQLite uses the index only where its own condition is asked for."""
        return self.filter(~Q(group=0), group=group)

    def whose_trace_is_not_in(self, dataset: "Dataset") -> Self:
        return self.filter(~Exists(self._of(dataset).filter(trace=OuterRef("trace"))))

    def split_otherwise_in(self, dataset: "Dataset") -> Self:
        """Those whose trace is there too, in another split, which `split_there` tells."""
        there = self._of(dataset).filter(trace=OuterRef("trace")).order_by().values("split")[:1]
        found = self.annotate(split_there=Subquery(there))
        return found.filter(split_there__isnull=False).exclude(split_there=F("split"))

    def whose_content_is_in(self, dataset: "Dataset") -> Self:
        """Those that say what a row there says, under whatever id."""
        contents = self._of(dataset).order_by().values("trace__content_sha256")
        return self.filter(trace__content_sha256__in=contents)  # not row by row: both sides are read once

    def with_same_content_in(self, dataset: "Dataset") -> Self:
        """`same_at` is the position of the first row there that says the same, or None."""
        same = Trace.objects.filter(content_sha256=OuterRef(OuterRef("trace__content_sha256"))).values("pk")
        rows = self._of(dataset).filter(trace__in=same).order_by()
        first = rows.values("dataset").annotate(first=Min("position")).values("first")
        return self.annotate(same_at=Subquery(first))

    def _of(self, dataset: "Dataset") -> models.QuerySet:
        return self.model.objects.filter(dataset=dataset)
