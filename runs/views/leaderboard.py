"""Pages of all runs on one evalset."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets_app.models import EvalSet
from runs import services
from runs.entries import FILTERS, JUDGE
from runs.models import Run
from runs.services import Leaderboard
from training.errors import Fault, Invalid
from training.judges import find_judge
from tunixrt.lib.windows import window


@require_safe
def leaderboard(request: HttpRequest) -> HttpResponse:
    """Runs ranked on one evalset: the one asked for, else that of the newest completed run."""
    query = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    board, faults = _ranked(request.GET.get("evalset", ""), query)
    ranked = EvalSet.objects.filter(runs__in=Run.objects.completed().shown())
    evalsets = (ranked | EvalSet.objects.filter(pk=board.evalset.pk) if board is not None else ranked).distinct()
    context: dict[str, Any] = {"room": "leaderboard", "evalsets": evalsets, "query": query, "faults": faults}
    context["present_judge"] = find_judge(JUDGE).version
    if board is not None:
        shown = window(board, request.GET.get("offset"))
        context |= {"evalset": board.evalset, "choices": board.choices, "window": shown}
    return render(request, "runs/leaderboard.html", context)


def _ranked(asked: str, query: Mapping[str, str]) -> tuple[Leaderboard | None, list[Fault]]:
    """A wrong filter is said, and all is shown; of an evalset that is not there nothing else is shown for it."""
    try:
        evalset = services.find_evalset(asked) if asked else _of_the_newest_run()
    except Invalid as invalid:
        return None, invalid.faults
    if evalset is None:
        return None, []
    try:
        return services.leaderboard(evalset=evalset, query=query), []
    except Invalid as invalid:
        return services.leaderboard(evalset=evalset), invalid.faults


def _of_the_newest_run() -> EvalSet | None:
    newest = Run.objects.completed().shown().with_dataset().newest_first().first()
    return newest.evalset if newest else None
