"""Scorers: what a trace looks like by a fixed rule. A new one is a file here that holds a SCORER.

Pure, named and versioned: a score says who gave it, and a trace that has a score by a version need not get it again.
"""

from importlib import import_module
from pkgutil import iter_modules

from traces.scorers.scorer import Judged, Scorer, StepMark
from training.errors import Fault, Invalid, echo

__all__ = ["SCORERS", "VERDICTS", "Judged", "Scorer", "StepMark", "scorer"]

_FILES = [import_module(f"{__name__}.{file.name}") for file in iter_modules(__path__)]
_FOUND = sorted((file.SCORER for file in _FILES if hasattr(file, "SCORER")), key=lambda found: found.order)
SCORERS: dict[str, Scorer] = {found.name: found for found in _FOUND}
VERDICTS = tuple(found.name for found in _FOUND if found.verdict)  # those of right and wrong: two of them may disagree


def scorer(name: object) -> Scorer:
    """The scorer of that name; raises Invalid when there is none."""
    if not isinstance(name, str) or name not in SCORERS:
        message = f"{echo(name)} is not a scorer; choose one of {', '.join(SCORERS)}"
        raise Invalid(Fault(("criteria",), message, "unknown_scorer"))
    return SCORERS[name]
