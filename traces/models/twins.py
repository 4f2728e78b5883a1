"""Traces that say nearly the same."""

from django.db import models


class Twin(models.Model):
    """A trace and the oldest trace that it nearly repeats, confirmed by comparing their texts."""

    trace = models.OneToOneField("traces.Trace", on_delete=models.CASCADE, related_name="twin_of")
    older = models.ForeignKey("traces.Trace", on_delete=models.CASCADE, related_name="twins")
    similarity = models.FloatField(help_text="Jaccard similarity of their word n-grams, 0 to 1.")

    def __str__(self) -> str:
        return f"{self.similarity:.0%} the same"


class Band(models.Model):
    """One band of a trace's MinHash signature: traces that share one are candidates for twins.

    A trace that has none was not looked at yet.
    """

    trace = models.ForeignKey("traces.Trace", on_delete=models.CASCADE, related_name="bands")
    hash = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["hash"], name="band_by_hash")]  # the candidates of a trace

    def __str__(self) -> str:
        return f"{self.hash:x}"
