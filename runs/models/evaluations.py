"""What a model answered, and what the judges thought of it."""

from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Case, F, FilteredRelation, Q, Value, When
from django.db.models.fields.json import KeyTransform
from django.utils import timezone

from datasets_app.models import EvalItem, EvalSet
from runs.models.runs import Run
from tunixrt.lib.ids import uuid7


class EvaluationQuerySet(models.QuerySet):
    def current(self) -> Self:
        """Those whose rows are whole: an examination that was repeated replaces the earlier one."""
        return self.filter(status=Evaluation.Status.COMPLETED)


class Evaluation(models.Model):
    """One examination of one checkpoint with one evalset. Every score has its rows."""

    class Stage(models.TextChoices):
        BEFORE = "before"
        AFTER = "after"
        STEP = "step", "at a checkpoint"

    class Status(models.TextChoices):
        LOADING = "loading"
        COMPLETED = "completed"
        REPLACED = "replaced"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="evaluations")
    evalset = models.ForeignKey(EvalSet, on_delete=models.PROTECT, related_name="evaluations")
    stage = models.CharField(max_length=8, choices=Stage)
    status = models.CharField(max_length=16, choices=Status, default=Status.LOADING)
    checkpoint_step = models.PositiveBigIntegerField()
    metrics = models.JSONField()
    intervals = models.JSONField()
    judges = models.JSONField(default=dict, help_text="Name and version of each that judged its rows.")
    correct_count = models.PositiveIntegerField()
    scored_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = EvaluationQuerySet.as_manager()

    class Meta:
        constraints = [
            # Two answers to "how good is it now" would let a page pick one.
            models.UniqueConstraint(
                fields=["run", "stage"],
                condition=Q(status="completed", stage__in=["before", "after"]),
                name="evaluation_one_current_a_stage",
            ),
            models.UniqueConstraint(
                fields=["run", "checkpoint_step"],
                condition=Q(status="completed", stage="step"),
                name="evaluation_one_current_a_step",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run}, {self.stage}"

    def to_dict(self) -> dict[str, Any]:
        names = (
            "id",
            "stage",
            "checkpoint_step",
            "metrics",
            "intervals",
            "judges",
            "correct_count",
            "scored_count",
            "created_at",
        )
        return {name: getattr(self, name) for name in names}

    def judgements(self) -> list[dict[str, Any]]:
        """Of each row what decisions are made from: the question and whether it was answered right."""
        names = ("item__item_id", "item__prompt", "item__expected_answer", "correct")
        keys = ("id", "prompt", "expected_answer", "correct")
        return [dict(zip(keys, row, strict=True)) for row in self.predictions.values_list(*names)]


class PredictionQuerySet(models.QuerySet):
    def answers_to(self, run: Run, item: EvalItem) -> Self:
        """What a run's present examinations answered to one item: before training, at checkpoints, after."""
        answers = self.filter(item=item, evaluation__run=run, evaluation__status=Evaluation.Status.COMPLETED)
        in_order = answers.order_by("evaluation__checkpoint_step", "evaluation__created_at")
        return in_order.select_related("item", "evaluation__run__evalset")

    def beside(self, evaluation: Evaluation | None) -> Self:
        """With `beside_answer` and `beside_correct`: what another examination, if there is one, has for the item."""
        same_item = FilteredRelation("item__predictions", condition=Q(item__predictions__evaluation=evaluation))
        rows = self.alias(beside=same_item)
        return rows.annotate(beside_answer=F("beside__answer"), beside_correct=F("beside__correct"))

    def saying(self, text: str) -> Self:
        """Those with `text` in the prompt or in the output, whatever its case."""
        return self.filter(Q(item__prompt__says=text) | Q(output__says=text))

    def judged_by(self, judge: str, *, passed: bool) -> Self:
        """Those to which a judge gave all that it can give, or less."""
        rows = self.alias(points=KeyTransform("score", KeyTransform(judge, "judges")))
        return rows.filter(points__gte=1) if passed else rows.filter(points__lt=1)

    def judgements(self, evaluations: Sequence[UUID]) -> Self:
        """Tuples of (place in `evaluations`, item, correct), as many as there are: numbers cost far less than ids."""
        places = Case(*(When(evaluation=pk, then=Value(place)) for place, pk in enumerate(evaluations)))
        rows = self.filter(evaluation__in=evaluations).order_by().annotate(place=places)
        return rows.values_list("place", "item_id", "correct")


class Prediction(models.Model):
    """What the model answered to one item, and what each judge thought of it."""

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="predictions")
    item = models.ForeignKey(EvalItem, on_delete=models.PROTECT, related_name="predictions")
    output = models.TextField()
    answer = models.TextField(null=True)
    correct = models.BooleanField(null=True, help_text="Not set when the item was skipped: it does not fit the model.")
    judges = models.JSONField()
    loss = models.FloatField(null=True, help_text="Of the reference, in nats a token, where there is one that fits.")
    output_tokens = models.PositiveIntegerField()
    finish_reason = models.CharField(max_length=16)

    objects = PredictionQuerySet.as_manager()

    class Meta:
        ordering = ("item__position",)
        constraints = [models.UniqueConstraint(fields=["evaluation", "item"], name="prediction_once_an_item")]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.verdict}"

    @property
    def verdict(self) -> str:
        return {True: "right", False: "wrong", None: "skipped"}[self.correct]

    def to_dict(self) -> dict[str, Any]:
        """The row of an evaluation's file."""
        item = self.item
        question = {"id": item.item_id, "prompt": item.prompt, "expected_answer": item.expected_answer}
        names = ("output", "answer", "correct", "judges", "output_tokens", "finish_reason")
        row = question | {name: getattr(self, name) for name in names}
        return row if self.loss is None else row | {"loss": self.loss}


class BaselineQuerySet(models.QuerySet):
    def of(self, evalset: EvalSet) -> "Baseline | None":
        """The one that counts now."""
        kept = self.filter(evalset=evalset).exclude(run__removal=Run.Removal.DELETE)
        return kept.select_related("run", "created_by").order_by("-id").first()


class Baseline(models.Model):
    """The run that others on an evalset are held against, from a moment on. Only ever added to: the newest counts."""

    evalset = models.ForeignKey(EvalSet, on_delete=models.CASCADE, related_name="baselines")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="baselines")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = BaselineQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.run} on {self.evalset}"
