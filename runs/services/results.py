"""The results by which two runs are held against each other."""

from runs.entries import JUDGE, version_of
from runs.models import Evaluation, Run
from tunixrt.lib.errors import Conflict, Rule


def results_of(base: Run, other: Run) -> tuple[Evaluation, Evaluation]:
    """What both answered now that they are trained.

    Raises Rule when they were not asked the same items, Conflict when one has no results.
    """
    if base.evalset_id != other.evalset_id:
        raise Rule("These runs were examined on different evalsets, so their scores do not compare.")
    return _result_of(base), _result_of(other)


def require_judged_alike(base: Evaluation, other: Evaluation) -> None:
    """Raises Rule when different versions of the judge whose score decides judged the two."""
    if version_of(base.judges) != version_of(other.judges):
        versions = " and ".join(
            f"{result.run} by {JUDGE} {version_of(result.judges) or 'of an unknown version'}"
            for result in (base, other)
        )
        raise Rule(f"The two were not judged alike: {versions}. Judge the older one again.", code="judges_differ")


def _result_of(run: Run) -> Evaluation:
    result = run.evaluations.current().filter(stage=Evaluation.Stage.AFTER).select_related("evalset").first()
    if result is None:
        raise Conflict(f"{run} has no results to compare: it is {run.state}.", code="not_examined")
    return result
