"""The page of the UNGAR bridge; htmx takes its panel alone."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from traces.forms.ungar import UngarForm
from traces.services import episodes
from traces.services.episodes import Request
from training.errors import Fault
from tunixrt.lib.errors import Refused


@require_http_methods(["GET", "HEAD", "POST"])
def ungar(request: HttpRequest) -> HttpResponse:
    """Status, form, and the episodes that the URL names. POST keeps them and shows them again."""
    data = request.POST if request.method == "POST" else request.GET
    form = UngarForm(data) if "count" in data else UngarForm()
    if not form.is_valid():
        return show(request, {"form": form}, status=422 if form.errors else 200)
    try:
        wanted = read(form)
        if request.method == "POST":
            episodes.store(wanted, by=request.user)
        if data is request.POST or form.cleaned_data["seed"] is None:
            return redirect(f"{reverse('ungar')}?{address(wanted)}")
        shown = episodes.preview(wanted)
    except Refused as refused:
        return show(request, {"form": form, "faults": [Fault((), refused.detail, refused.code)]}, status=refused.status)
    kept = sum(episode.trace_id is not None for episode in shown)
    return show(request, {"form": form, "wanted": wanted, "episodes": shown, "kept": kept})


def read(form: UngarForm) -> Request:
    return episodes.read_request(form.cleaned_data)


def address(wanted: Request) -> str:
    return urlencode({"count": wanted.count, "seed": wanted.seed, "task": wanted.task})


def show(request: HttpRequest, context: dict, status: int = 200) -> HttpResponse:
    context = {"room": "traces", "status": episodes.status(), **context}
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "traces/_ungar.html", context)  # htmx shows no panel that comes with an error's status
    return render(request, "traces/ungar.html", context, status=status)
