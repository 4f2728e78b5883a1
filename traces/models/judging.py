"""What was said of traces: by rule (scores) and by people (reviews of steps)."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Min, Q
from django.utils import timezone

from tunixrt.jobs.models import Job
from tunixrt.lib.ids import uuid7

MAX_NOTE = 2000


class Score(models.Model):
    """What a scorer of one version thought of a trace."""

    trace = models.ForeignKey("traces.Trace", on_delete=models.CASCADE, related_name="scores")
    scorer = models.CharField(max_length=64)
    version = models.CharField(max_length=16)
    score = models.FloatField(null=True, help_text="0 to 100; null when the scorer found nothing to judge.")
    first_wrong = models.BigIntegerField(null=True, help_text="`i` of the first step that it finds wrong.")
    details = models.JSONField(default=dict)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace", "scorer", "version"], name="score_once_a_version")]
        indexes = [
            # filters and sorting by a score, and the page of distributions
            models.Index(fields=["scorer", "version", "score", "trace"], name="score_by_value"),
            # the queue of traces with a wrong step
            models.Index(
                fields=["scorer", "version", "trace"], condition=Q(first_wrong__isnull=False), name="score_wrong_steps"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scorer} {self.version}: {'–' if self.score is None else format(self.score, 'g')}"

    @property
    def figures(self) -> list[tuple[str, str]]:
        """The numbers and short texts of its details, for a line; lists are shown where they belong."""
        simple = ((name, value) for name, value in sorted(self.details.items()) if isinstance(value, int | float | str))
        return [(name, f"{value:.4g}" if isinstance(value, float) else str(value)[:100]) for name, value in simple]

    def to_dict(self) -> dict:
        names = ("scorer", "version", "score", "first_wrong", "details", "created_at")
        return {name: getattr(self, name) for name in names}


class Scoring(models.Model):
    """A request to score every trace that passes some filters. Its job says how far it is."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scorers = models.JSONField(help_text="Names, in the order in which they are run.")
    filters = models.JSONField(default=dict, help_text="As `traces.filters` reads them; {} means all traces.")
    scored_count = models.PositiveIntegerField(default=0, help_text="Scores written by it.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"scoring by {', '.join(self.scorers)}"

    @property
    def job(self) -> Job | None:
        return Job.objects.for_target(self.pk).first()


class StepReviewQuerySet(models.QuerySet):
    def finished(self) -> Self:
        """One row a trace and reviewer who got to the end of it: a mistake, or the last step.

        As values: trace, reviewer, `worst` rating, number of `steps` rated.
        """
        by_person: Any = self.values("trace", "reviewer").annotate(worst=Min("rating"), steps=Count("pk"))
        return by_person.filter(Q(worst=-1) | Q(steps__gte=F("trace__step_count"))).order_by()

    def disputed(self) -> Self:
        """One row a step that one person calls a mistake and another does not. As values: trace, step."""
        steps: Any = self.values("trace", "step")
        return (
            steps.annotate(wrong=Count("pk", filter=Q(rating=-1)), all=Count("pk"))
            .filter(wrong__gt=0, wrong__lt=F("all"))
            .order_by()
        )


class StepReview(models.Model):
    """What a person says of one step: a mistake (−1), neither (0), or good (+1).

    The convention of PRM800K (Lightman et al. 2023, arXiv:2305.20050): whoever meets the first mistake stops there,
    for what follows a mistake is neither right nor wrong.
    """

    class Rating(models.IntegerChoices):
        MISTAKE = -1
        NEUTRAL = 0
        GOOD = 1

    trace = models.ForeignKey("traces.Trace", on_delete=models.CASCADE, related_name="reviews")
    step = models.BigIntegerField(help_text="The step's `i`.")
    rating = models.SmallIntegerField(choices=Rating)
    note = models.TextField(blank=True, max_length=MAX_NOTE)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = StepReviewQuerySet.as_manager()

    class Meta:
        constraints = [
            # Rating a step again changes the rating; two tabs must not leave two.
            models.UniqueConstraint(fields=["trace", "step", "reviewer"], name="review_once_a_step_and_person"),
            models.CheckConstraint(condition=Q(rating__in=[-1, 0, 1]), name="review_rating_is_one_of_three"),
        ]
        indexes = [models.Index(fields=["reviewer", "-created_at"], name="review_latest")]  # undo

    def __str__(self) -> str:
        return f"step {self.step}: {self.rating:+d}"

    def to_dict(self) -> dict:
        reviewer = self.reviewer.get_username() if self.reviewer else None
        names = ("step", "rating", "note", "created_at", "updated_at")
        return {name: getattr(self, name) for name in names} | {"reviewer": reviewer}
