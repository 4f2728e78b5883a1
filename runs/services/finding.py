"""A run, an evalset by what somebody typed."""

from uuid import UUID

from datasets_app.models import EvalSet
from runs.models import Run
from training.errors import Fault, Invalid, echo


def find_run(identifier: object, loc: str = "run") -> Run:
    """The run of that id; raises Invalid at `loc` when there is none."""
    try:
        return Run.objects.with_dataset().get(pk=UUID(str(identifier)))
    except (ValueError, Run.DoesNotExist):
        raise Invalid(Fault((loc,), f"there is no run {echo(identifier)}", "unknown_value"))


def find_evalset(identifier: object) -> EvalSet:
    """The evalset of that id; raises Invalid when there is none."""
    try:
        return EvalSet.objects.get(pk=UUID(str(identifier)))
    except (ValueError, EvalSet.DoesNotExist):
        raise Invalid(Fault(("evalset",), f"there is no evalset {echo(identifier)}", "unknown_value"))
