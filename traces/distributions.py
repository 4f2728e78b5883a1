"""How the scores of one scorer are spread, counted by the database in one pass over an index."""

from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Case, Count, F, IntegerField, Sum, Value, When
from django.db.models.functions import Floor

from traces.models import Score, Trace
from traces.scorers import Scorer

WIDTH = 5  # points of a bucket
FULL = 100 // WIDTH  # the bucket of exactly 100 points, which is what most scorers of right and wrong give
NOTHING = -1  # the bucket of the traces that the scorer found nothing to judge in


@dataclass(frozen=True)
class Bucket:
    """How many traces have `low` points or more, and less than the next bucket's; the last holds those with 100."""

    scorer: str
    low: int
    count: int

    @property
    def label(self) -> str:
        return "100 points" if self.low == 100 else f"{self.low} to under {self.low + WIDTH} points"

    @property
    def query(self) -> str:
        """The filter of exactly these traces; bounds are included, and no scorer gives finer shares than this."""
        high = 100 if self.low == 100 else self.low + WIDTH - 0.00001
        return urlencode({f"score.{self.scorer}.min": self.low, f"score.{self.scorer}.max": high})


@dataclass(frozen=True)
class Distribution:
    """The scores by a scorer's present version. `judged` of the `scored` traces had something to judge.

    `traces` is how many there are in all. `mean` is None where nothing was judged. `older` counts the scores by
    earlier versions.
    """

    scorer: Scorer
    traces: int
    scored: int
    judged: int
    mean: float | None
    buckets: list[Bucket]
    older: dict[str, int]

    @property
    def lacking(self) -> int:
        return max(self.traces - self.scored, 0)

    @property
    def nothing(self) -> int:
        return self.scored - self.judged

    @property
    def full(self) -> float | None:
        """The share of the judged traces that have 100 points."""
        return self.buckets[-1].count / self.judged if self.judged else None


def distribution(scorer: Scorer) -> Distribution:
    """What the scores by `scorer` look like."""
    counts, points, older = _counts(scorer)
    judged = counts.total() - counts[NOTHING]
    return Distribution(
        scorer=scorer,
        traces=Trace.objects.visible().count(),
        scored=counts.total(),
        judged=judged,
        mean=points / judged if judged else None,
        buckets=[Bucket(scorer.name, place * WIDTH, counts[place]) for place in range(FULL + 1)],
        older=dict(older),
    )


def _counts(scorer: Scorer) -> tuple[Counter[int], float, Counter[str]]:
    """Traces in each bucket, the sum of their points, and scores by other versions."""
    bucket = Case(
        When(score__isnull=True, then=Value(NOTHING)),
        When(score__gte=100, then=Value(FULL)),
        default=Floor(F("score") / Value(float(WIDTH))),
        output_field=IntegerField(),
    )
    found = Score.objects.filter(scorer=scorer.name).values("version").annotate(bucket=bucket).order_by()
    counts, older, points = Counter[int](), Counter[str](), 0.0
    for row in found.annotate(traces=Count("*"), points=Sum("score")):
        if row["version"] == scorer.version:
            counts[int(row["bucket"])] += row["traces"]
            points += row["points"] or 0
        else:
            older[row["version"]] += row["traces"]
    return counts, points, older
