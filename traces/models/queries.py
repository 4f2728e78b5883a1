"""How traces are found."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from django.db import models
from django.db.models import Exists, F, FilteredRelation, OuterRef, Prefetch, Q, Subquery

from traces.filters import filter_parts
from traces.lookups import HoldsWords, MetaEquals
from traces.models.imports import Import
from traces.models.judging import Score, StepReview
from traces.models.twins import Twin
from traces.rows import COLUMNS
from traces.scorers import SCORERS, VERDICTS
from traces.words import MAX_ASKED, words_asked
from training.errors import Fault, Invalid, echo
from tunixrt.lib.bulk import insert
from tunixrt.lib.keyset import Order

ORDERS = {
    "newest": Order("-created_at", "-pk"),
    "oldest": Order("created_at", "pk"),
    "most steps": Order("-step_count", "-created_at", "-pk"),
    "fewest steps": Order("step_count", "created_at", "pk"),
}
BY_SCORE = tuple(f"{direction} {scorer}" for scorer in SCORERS for direction in ("lowest", "highest"))
NEWEST = "newest"
FEW = 5_000  # traces that people have judged
HALF = 50  # points: less means that a scorer finds a trace rather wrong than right


class TraceQuerySet(models.QuerySet):
    def visible(self) -> Self:
        """Everything but the rows of an import that is not done."""
        return self.filter(Q(imported_by=None) | Q(imported_by__status=Import.Status.DONE))

    def known_to(self, row: Import) -> Self:
        """What a further row of an import would repeat: the visible traces and those it has staged."""
        return self.filter(Q(imported_by=None) | Q(imported_by__status=Import.Status.DONE) | Q(imported_by=row))

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def in_order(self, name: str) -> tuple[Self, Order]:
        """The rows to be sorted and how: by a name of ORDERS or of BY_SCORE. Raises Invalid for any other name.

        Sorting by a score adds it as `points` and leaves out what has none.
        """
        if name in ORDERS:
            return self, ORDERS[name]
        if name not in BY_SCORE:
            known = ", ".join((*ORDERS, "lowest SCORER", "highest SCORER"))
            raise Invalid(Fault(("sort",), f"must be one of {known}, not {echo(name)}", "wrong_value"))
        direction, scorer = name.split(" ")
        own = Q(scores__scorer=scorer, scores__version=SCORERS[scorer].version)
        scored = self.annotate(by=FilteredRelation("scores", condition=own), points=F("by__score"))
        sign = "-" if direction == "highest" else ""
        return scored.filter(points__isnull=False), Order(f"{sign}points", f"{sign}pk")

    def search(self, words: str) -> Self:
        """Traces that hold every one of `words`, the last perhaps only begun; none for no words."""
        asked = words_asked(words)[:MAX_ASKED]
        return self.filter(HoldsWords(asked)) if asked else self.none()

    def matching(self, filters: dict[str, Any]) -> Self:
        """Traces that pass every filter, as `traces.filters` names and reads them."""
        found = self
        scores: defaultdict[str, Q] = defaultdict(Q)
        for name, value in filters.items():
            method, part = filter_parts(name)
            if method in SCORE_FILTERS:  # what is asked of one scorer is asked of one score
                scores[part or "baseline"] &= SCORE_FILTERS[method](value)
            else:
                found = getattr(found, f"by_{method}")(*(value,) if part is None else (part, value))
        for scorer, condition in scores.items():
            found = found.filter(Exists(scores_by(scorer).filter(condition)))
        return found

    def by_source(self, value: str) -> Self:
        return self.filter(source=value)

    def by_q(self, value: str) -> Self:
        return self.search(value)

    def by_scorers_disagree(self, value: bool) -> Self:
        verdicts = [Q(scorer=name, version=SCORERS[name].version) for name in VERDICTS]
        mine = Score.objects.filter(Q(*verdicts, _connector=Q.OR), trace=OuterRef("pk"))
        apart = Exists(mine.filter(score__lt=HALF)) & Exists(mine.filter(score__gte=HALF))
        return self.filter(apart if value else ~apart)

    def by_created_after(self, value: Any) -> Self:
        return self.filter(created_at__gt=value)

    def by_tag(self, value: str) -> Self:
        return self.filter(Exists(self.model.tags.rel.related_model.objects.filter(trace=OuterRef("pk"), name=value)))

    def by_steps_min(self, value: int) -> Self:
        return self.filter(step_count__gte=value)

    def by_steps_max(self, value: int) -> Self:
        return self.filter(step_count__lte=value)

    def by_characters_min(self, value: int) -> Self:
        return self.filter(character_count__gte=value)

    def by_characters_max(self, value: int) -> Self:
        return self.filter(character_count__lte=value)

    def by_import_id(self, value: str) -> Self:
        return self.filter(imported_by=value)

    def by_review_is(self, value: str) -> Self:
        reviews = StepReview.objects
        faulty = reviews.filter(rating=StepReview.Rating.MISTAKE).values("trace")
        match value:
            case "unreviewed":
                return self.exclude(pk__in=reviews.finished().values("trace"))
            case "reviewed":
                return self.filter(pk__in=_read_first(reviews.finished().values("trace")))
            case "faulty":
                return self.filter(pk__in=_read_first(faulty))
            case "disputed":
                return self.filter(pk__in=_read_first(reviews.disputed().values("trace")))
        return self.filter(pk__in=_read_first(reviews.finished().values("trace").exclude(trace__in=faulty)))

    def by_twin_is(self, value: bool) -> Self:
        twins = Exists(Twin.objects.filter(trace=OuterRef("pk")))
        return self.filter(twins if value else ~twins)

    def by_meta(self, name: str, value: Any) -> Self:
        """Traces whose `meta[name]` equals the scalar `value`, JSON type included: "1", 1 and true all differ."""
        return self.filter(MetaEquals(name, value))

    def with_score(self) -> Self:
        """Adds `score`, the one by the baseline, or None."""
        return self.annotate(score=Subquery(scores_by("baseline").values("score")[:1]))

    def for_list(self) -> Self:
        """What a row of a list shows, without the texts that only the trace's own page reads."""
        return self.visible().with_score().defer("canonical", "meta", "words")

    def for_detail(self) -> Self:
        scores = Score.objects.order_by("scorer", "-created_at", "-id")
        reviews = StepReview.objects.select_related("reviewer").order_by("step", "created_at")
        return (
            self.visible()
            .defer("words")
            .select_related("created_by", "imported_by")
            .prefetch_related(Prefetch("scores", scores), Prefetch("reviews", reviews), "tags")
        )

    def with_twins(self) -> Self:
        """Adds the older trace that each nearly repeats and the newer ones that nearly repeat it."""
        texts = ("similarity", "trace__prompt", "older__prompt")
        twins = Twin.objects.select_related("trace", "older").only(*texts)
        return self.prefetch_related(Prefetch("twin_of", twins), Prefetch("twins", twins.order_by("-similarity", "pk")))

    def insert(self, rows: Iterable[Sequence], tags: Sequence[tuple], *, ignore_known: bool = False) -> None:
        """Adds rows in the order of `traces.rows.COLUMNS`, and tags as (trace's id, name).

        `ignore_known` leaves ids that are there as they are.
        """
        insert(self.model, COLUMNS, rows, keep=ignore_known)
        if tags:
            insert(self.model.tags.rel.related_model, ("trace_id", "name"), tags, keep=ignore_known)


def _read_first(traces: models.QuerySet) -> models.QuerySet | set:
    """Ids of traces, read now if they are few: PostgreSQL cannot know how few, and would look through all traces."""
    found = {row["trace"] for row in traces[: FEW + 1]}
    return found if len(found) <= FEW else traces


SCORE_FILTERS: dict[str, Callable[[Any], Q]] = {
    "min_score": lambda value: Q(score__gte=value),
    "score_min": lambda value: Q(score__gte=value),
    "score_max": lambda value: Q(score__lte=value),
    "wrong": lambda value: Q(first_wrong__isnull=not value),
}


def scores_by(scorer: str) -> models.QuerySet[Score]:
    """The scores of the trace that is looked at by `SCORER@VERSION`, or by the present version of `SCORER`."""
    name, _, version = scorer.partition("@")
    return Score.objects.filter(trace=OuterRef("pk"), scorer=name, version=version or SCORERS[name].version)
