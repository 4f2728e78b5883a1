"""How the API reads what it was asked."""

from uuid import UUID

from django.shortcuts import get_object_or_404

from runs.models import Run
from training.errors import Fault, Invalid, echo


def get_run(run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.with_dataset(), pk=run_id)


def choice(query, name: str, allowed: list[str]) -> str | None:
    """A query parameter that must be one of `allowed`, or None when it was not given."""
    value = query.get(name)
    if value is not None and value not in allowed:
        msg = f"must be one of {', '.join(allowed)}, not {echo(value)}"
        raise Invalid(Fault((name,), msg, "wrong_value"))
    return value


def flag(body: dict, name: str) -> bool:
    """Takes a flag out of a body; raises Invalid when it is neither true nor false."""
    value = body.pop(name, False)
    if type(value) is not bool:
        raise Invalid(Fault((name,), f"must be true or false, not {echo(value)}", "wrong_type"))
    return value
