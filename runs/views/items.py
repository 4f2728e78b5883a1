"""The page of one item that two runs answered."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from runs import compared, panels, services
from runs.views.finding import find_item_or_404
from tunixrt.lib.errors import Refused


@require_safe
def compare_item(request: HttpRequest, item_id: int) -> HttpResponse:
    """What two runs answered to one item, step by step beside each other, among the items that pass the filters."""
    base, other = (panels.find_run(request.GET.get(name, "")) for name in ("base", "other"))
    if base is None or other is None:
        raise Http404("no such run")
    item = find_item_or_404(other, item_id)
    try:
        answers = services.answers_beside(base=base, other=other)
    except Refused as refused:
        raise Http404(refused.detail)
    found = services.compare_item(answers=answers, item=item)
    context = {"room": "runs", "base": base, "other": other, "item": item, "found": found}
    return render(request, "runs/compare_item.html", context | compared.place(answers, request.GET, item))
