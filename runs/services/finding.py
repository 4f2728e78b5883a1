"""A run, an evalset by what somebody typed."""

import re
from uuid import UUID

from django.db.models import Q

from datasets_app.models import EvalSet
from runs.models import Run
from training.errors import Fault, Invalid, echo
from tunixrt.lib.ids import read_uuid

SHA256 = re.compile("[0-9a-f]{64}")


def find_run(identifier: object, loc: str = "run") -> Run:
    """The run of that id; raises Invalid at `loc` when there is none."""
    try:
        return Run.objects.with_dataset().get(pk=UUID(str(identifier)))
    except (ValueError, Run.DoesNotExist):
        raise Invalid(Fault((loc,), f"there is no run {echo(identifier)}", "unknown_value"))


def find_evalset(identifier: object) -> EvalSet:
    """The evalset of that id or SHA-256; raises Invalid when there is none."""
    text = str(identifier)
    known = Q(sha256=text) if SHA256.fullmatch(text) else Q(pk=pk) if (pk := read_uuid(text)) else None
    found = EvalSet.objects.with_dataset().filter(known).first() if known else None
    if found is None:
        raise Invalid(Fault(("evalset",), f"there is no evalset {echo(identifier)}", "unknown_value"))
    return found
