"""The review of steps: a queue made for the keyboard, and what people disagree about."""

from dataclasses import dataclass
from time import time
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from traces import services
from traces.filters import read_query
from traces.models import StepReview, Trace
from traces.views.page import page, visible_trace
from training.errors import Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window

SKIPS = 1_000  # kept in the session; older ones come back
PLACE = ("trace", "step")  # what an address holds besides filters
RATINGS = {-1: "a mistake", 0: "neutral", 1: "good"}


@dataclass(frozen=True)
class Preset:
    """A queue with a name."""

    name: str
    about: str
    filters: dict[str, str]

    @property
    def query(self) -> str:
        return urlencode(self.filters)


PRESETS = (
    Preset("All", "Every trace that you have not finished, newest first.", {}),
    Preset("Unreviewed", "Traces that nobody has finished.", {"review.is": "unreviewed"}),
    Preset("Scorers disagree", "One scorer finds the trace right, another wrong.", {"scorers.disagree": "true"}),
    Preset("Wrong arithmetic", "The scorer arithmetic found a wrong step.", {"wrong.arithmetic": "true"}),
    Preset("Near-duplicates", "Traces that nearly repeat an older one.", {"twin.is": "true"}),
    Preset("Disputed", "One person calls a step a mistake, another does not.", {"review.is": "disputed"}),
)


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest) -> HttpResponse:
    """A trace of the queue that the address asks for; a POST says something of it and leads back."""
    if request.method == "POST":
        action = ACTIONS.get(request.POST.get("do", ""))
        if action is None:
            messages.error(request, "Nothing was done: the button is not known.")
        return redirect(action(request) if action else _address(request))
    response = page(request, _template(request), _desk(request))
    response["HX-Replace-Url"] = request.get_full_path()  # reading it again shows the same step
    return response


@require_safe
def review_disagreements(request: HttpRequest) -> HttpResponse:
    found = window(services.disputed_steps(), request.GET.get("offset"))
    context = {"window": found, "disagreements": services.disagreements(found.rows)}
    return page(request, "traces/review_disagreements.html", context)


def _desk(request: HttpRequest) -> dict:
    given = _filters(request)
    context: dict = {"presets": PRESETS, "filters": given, "here": _address(request)}
    try:
        filters = read_query(given)
    except Invalid as invalid:
        return context | {"faults": invalid.faults}
    queue = services.review_queue(filters=filters, by=request.user, skipped=[pk for pk, _ in _skips(request)])
    ahead = services.queue_ahead(queue)
    return context | {
        "sheet": _sheet(request, ahead.next),
        "left": ahead.count,
        "finished": services.finished_count(request.user),
        "skips": len(_skips(request)),
        "last": _last_done(request),
    }


def _sheet(request: HttpRequest, next_trace: UUID | None) -> services.ReviewSheet | None:
    """The trace that the address names, or the next of the queue."""
    named, step = request.GET.get("trace"), _whole(request.GET.get("step"))
    wanted = Trace.objects.visible().filter(pk=_uuid(named) if named else next_trace)
    sheet = services.review_sheet(traces=wanted, by=request.user, step=step)
    if named and sheet is None:
        raise Http404
    return sheet


def _rate(request: HttpRequest) -> str:
    trace, given = visible_trace(_uuid(request.POST.get("trace"))), request.POST
    step, rating = _whole(given.get("step")), _whole(given.get("rating"))
    note = given.get("note", "").strip().replace("\r\n", "\n")
    try:
        review = services.review_step(trace=trace, step=step, rating=rating, note=note, by=request.user)
    except (Invalid, Refused) as error:
        messages.error(request, str(error))
        return _address(request, trace=trace.pk)
    messages.success(request, f"Step {services.numbers_of(trace).index(review.step) + 1} is {RATINGS[review.rating]}.")
    finished = services.has_finished(trace, request.user)
    return _address(request) if finished else _address(request, trace=trace.pk)


def _skip(request: HttpRequest) -> str:
    trace = visible_trace(_uuid(request.POST.get("trace")))
    skips = [skip for skip in _skips(request) if skip[0] != str(trace.pk)]
    request.session["review_skips"] = [*skips, (str(trace.pk), time())][-SKIPS:]
    messages.info(request, "Skipped.")
    return _address(request)


def _unskip(request: HttpRequest) -> str:
    request.session["review_skips"] = []
    return _address(request)


def _undo(request: HttpRequest) -> str:
    """Takes back what the person was shown as the last thing they did, if it still is."""
    last = _last_done(request)
    if last is None or request.POST.get("last") != last.key:
        messages.info(request, "There is nothing to take back, or it was taken back already.")
        return _address(request)
    if last.review is None:
        request.session["review_skips"] = [skip for skip in _skips(request) if skip[0] != last.key]
        messages.info(request, "You skipped this one; here it is again.")
        return _address(request, trace=last.key)
    services.undo_review(by=request.user, latest=last.review.pk)
    messages.info(request, f"You had called this step {RATINGS[last.review.rating]}; it has no rating of yours now.")
    return _address(request, trace=last.review.trace_id, step=last.review.step)


ACTIONS = {"rate": _rate, "skip": _skip, "unskip": _unskip, "undo": _undo}


@dataclass(frozen=True)
class LastDone:
    """What undo takes back: a rating, or, where there is none, a skip."""

    key: str
    review: StepReview | None = None


def _last_done(request: HttpRequest) -> LastDone | None:
    review, skips = services.latest_review(request.user), _skips(request)
    if skips and (review is None or skips[-1][1] > review.created_at.timestamp()):
        return LastDone(skips[-1][0])
    return LastDone(str(review.pk), review) if review else None


def _skips(request: HttpRequest) -> list:
    """The traces that this person skipped since they signed in, `[id, seconds]`, the latest at the end."""
    return request.session.get("review_skips", [])


def _filters(request: HttpRequest) -> dict[str, str]:
    return {name: value for name, value in request.GET.items() if name not in PLACE and value}


def _address(request: HttpRequest, **place: object) -> str:
    """The page of this queue, perhaps at a trace and a step."""
    query = urlencode(_filters(request) | place)
    return reverse("review") + (f"?{query}" if query else "")


def _template(request: HttpRequest) -> str:
    return "traces/_review.html" if request.htmx else "traces/review.html"  # type: ignore[attr-defined]


def _uuid(text: str | None) -> UUID:
    try:
        return UUID(text)
    except (TypeError, ValueError):
        raise Http404


def _whole(text: str | None) -> object:
    """A number where it is one; what else stands there is for the service to refuse."""
    try:
        return int(text or "")
    except ValueError:
        return text
