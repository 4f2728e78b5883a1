"""Pages of traces."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from traces import services
from traces.forms.filters import FilterForm, spell
from traces.judged import judged_steps
from traces.models import Trace
from traces.models.queries import BY_SCORE
from traces.scorers import SCORERS
from traces.views.page import page, visible_trace
from training.errors import Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.keyset import page_of

PAGE_ROWS = 25


@require_safe
def trace_list(request: HttpRequest) -> HttpResponse:
    """The traces that the address asks for. What the form wrote in its own words goes on to the plain address."""
    form = FilterForm(request.GET)
    if (plain := form.plain_query()) is not None:
        return redirect(f"{reverse('trace_list')}?{plain}")
    context: dict = {"form": form, "faults": [], "scorers": SCORERS, "points_name": "Score"}
    try:
        filters, sort = form.filters(), form.order()
        context["points_name"] = sort.partition(" ")[2] if sort in BY_SCORE else "Score"
        listing = services.list_traces(filters=filters, sort=sort)
        places = {name: request.GET.get(name) for name in ("before", "after")}
        context["found"] = page_of(listing.traces.prefetch_related("tags"), listing.order, size=PAGE_ROWS, **places)
        context["total"] = listing.count
    except Invalid as invalid:
        context["faults"] = invalid.faults
    return page(request, "traces/trace_list.html", context, status=422 if context["faults"] else 200)


@require_safe
def trace_detail(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    trace = get_object_or_404(Trace.objects.for_detail().with_twins(), pk=trace_id)
    context = {
        "trace": trace,
        "steps": judged_steps(trace),
        "meta": sorted((trace.payload["meta"] or {}).items()),
    }
    return page(request, "traces/trace_detail.html", context)


@require_safe
def trace_compare(request: HttpRequest) -> HttpResponse:
    try:
        base, other = (visible_trace(UUID(request.GET.get(name, ""))) for name in ("base", "other"))
    except ValueError:
        messages.error(request, "Choose two traces to compare.")
        return redirect("trace_list")
    return page(request, "traces/trace_compare.html", {"comparison": services.compare(base=base, other=other)})


@require_safe
def trace_export(request: HttpRequest) -> HttpResponseBase:
    """Every trace that the address asks for, as a file that can be imported again."""
    form = FilterForm(request.GET)
    try:
        lines = services.export_traces(Trace.objects.visible().matching(form.filters()))
    except Invalid as invalid:
        messages.error(request, str(invalid))
        return redirect("trace_list")
    return as_file(lines)


@require_POST
def trace_bulk(request: HttpRequest) -> HttpResponseBase:
    """Does one thing with the chosen traces, or with all that the address asks for."""
    form = FilterForm(request.GET)
    back = f"{reverse('trace_list')}?{request.GET.urlencode()}"
    try:
        chosen = services.Selection.of(
            filters=form.filters(), ids=None if "all" in request.POST else request.POST.getlist("id")
        )
        match request.POST.get("do"):
            case "tag" | "untag" as verb:
                count = getattr(services, f"{verb}_traces")(traces=chosen.traces, name=request.POST.get("tag", ""))
                done = f"{count:,} traces now have" if verb == "tag" else f"{count:,} traces no longer have"
                messages.success(request, f"{done} the tag “{request.POST['tag'].strip()}”.")
            case "export":
                return as_file(services.export_traces(chosen.traces))
            case "compare":
                base, other = services.two_of(chosen)
                return redirect(f"{reverse('trace_compare')}?{urlencode({'base': base.pk, 'other': other.pk})}")
            case "dataset":
                return redirect(f"{reverse('dataset_build')}?{urlencode({'filters': spell(chosen.as_filters())})}")
            case "score":
                scorer = request.POST.get("scorer", "")
                if chosen.ids is None:
                    services.begin_scoring(scorers=[scorer], filters=chosen.filters, by=request.user)
                    return redirect("score_list")
                count = services.score_traces(traces=chosen.traces, scorer=scorer, by=request.user)
                messages.success(request, f"{count:,} traces scored by {scorer}.")
    except Invalid as invalid:
        messages.error(request, str(invalid))
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect(back)


@require_POST
def trace_score(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    trace = visible_trace(trace_id)
    for name in SCORERS:
        services.score_trace(trace=trace, scorer=name, by=request.user)
    messages.success(request, f"Scored by {', '.join(SCORERS)}.")
    return redirect("trace_detail", trace_id)


@require_POST
def trace_delete(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    try:
        services.delete_trace(trace=visible_trace(trace_id))
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("trace_detail", trace_id)
    messages.success(request, "The trace is deleted.")
    return redirect("trace_list")


def as_file(lines) -> StreamingHttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="traces.jsonl"'}
    return StreamingHttpResponse(lines, content_type="application/x-ndjson; charset=utf-8", headers=headers)
