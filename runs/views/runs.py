"""Pages of runs: the list, the launch form, one run while it works and after, and what is done with it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from runs import exports, gate_panels, lapse_panels, panels, services, watching
from runs.artifacts import MAX_FILES, download, list_artifacts, size_by_kind
from runs.filters import FILTERS, filtered_runs
from runs.forms import LaunchForm, initial_of
from runs.judging import judging
from runs.models import Run
from runs.views.finding import find_run_or_404
from training.errors import Invalid
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window

CROWD = watching.Crowd()


@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    """The runs that pass the filters. A page forgives what the API refuses: a wrong filter is said and shows all."""
    query = {name: request.GET[name] for name in FILTERS if request.GET.get(name)}
    context: dict[str, Any] = {"room": "runs", "query": query, "choices": panels.filter_choices()}
    try:
        runs = filtered_runs(query)
    except Invalid as invalid:
        runs, context["faults"] = filtered_runs({}), invalid.faults
    return render(request, "runs/list.html", context | {"window": window(runs, request.GET.get("offset"))})


@require_http_methods(["GET", "POST"])
def launch(request: HttpRequest) -> HttpResponse:
    """The launch form, of a clone filled with its parent's; its buttons load a config, show the plan, or launch."""
    parent = panels.find_run(request.GET.get("parent", ""))
    initial = initial_of(parent) if parent and not request.POST else request.GET.dict() | {"parent": None}
    form, plan = LaunchForm(request.POST or None, initial=initial), None
    match request.POST.get("action"):
        case "load":
            form = form.with_named_config()
        case "plan":
            plan = form.plan()
        case "launch" if run := form.launch(by=request.user):
            return redirect("run_detail", run.pk)
    return render(request, "runs/launch.html", {"room": "runs", "form": form, "plan": plan})


@require_safe
def detail(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = find_run_or_404(run_id)
    job, artifacts = run.job, list_artifacts(run.directory)
    context = {
        "room": "runs",
        "tag": panels.shown_tag(run, job, request.GET),  # before anything is read: what is newer is news to the page
        "judging": judging(run, job),
        "verdict": panels.verdict(run),
        "gate": gate_panels.gate_line(run),
        "lapse": lapse_panels.shown(run),
        "events": run.events.select_related("created_by"),
        "artifacts": artifacts,
        "sizes": size_by_kind(artifacts),
        "total": sum(artifact.size for artifact in artifacts),
        "is_cut": len(artifacts) == MAX_FILES,
        "children": run.children.newest_first(),
        "failed_replay": run.children.not_reproducing().newest_first().first(),
        "actions": panels.actions(run),
        "exports": exports.EXPORTS,
    }
    return render(request, "runs/detail.html", context | panels.shown(run, job, request.GET))


@require_safe
def live(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """What changes while a run is open, or 304. A page that still asks when it has ended gets the whole of itself."""
    run = get_object_or_404(Run, pk=run_id)
    if not run.is_open:
        return detail(request, run_id)
    job = run.job
    tag = panels.shown_tag(run, job, request.GET)
    least, most = panels.pause(job, CROWD.wait(request.session.session_key))
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Poll-Seconds": f"{least:.1f}-{most:.1f}"}
    if request.headers.get("If-None-Match") == tag:
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(watching.drawn((run_id, tag), lambda: draw_live(run, job, request)), headers=headers)


def draw_live(run: Run, job: Job | None, request: HttpRequest) -> bytes:
    """The same bytes for whoever looks."""
    return render_to_string("runs/_live.html", panels.shown(run, job, request.GET)).encode()


@require_POST
def act(request: HttpRequest, run_id: UUID, service: Callable) -> HttpResponse:
    """Does something with a run and shows the run that it concerns now."""
    run = find_run_or_404(run_id)
    try:
        concerned = service(run=run, by=request.user) or run
    except Refused as refused:
        messages.error(request, refused.detail)
        concerned = run
    return redirect("run_detail", concerned.pk)


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, run_id: UUID, service: Callable, removal: str) -> HttpResponse:
    """Shows what a purge or a deletion would take; its button does it."""
    run = find_run_or_404(run_id)
    if request.method == "GET":
        preview = services.preview_removal(run=run, removal=removal)
        return render(request, "runs/remove.html", {"room": "runs", "run": run, "preview": preview})
    try:
        kept = service(run=run, by=request.user)
    except Refused as refused:
        messages.error(request, refused.detail)
        return redirect("run_detail", run.pk)
    if kept and kept.removal:
        messages.info(request, f"{run} is being {removal}d: a worker goes on with it.")
    else:
        messages.success(request, f"{run} is {removal}d.")
    return redirect("run_detail", run.pk) if kept else redirect("run_list")


@require_POST
def describe(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Keeps the name, the notes, or one tag more or less."""
    run = find_run_or_404(run_id)
    try:
        if "tag" in request.POST:
            services.tag_run(run=run, tag=request.POST["tag"], by=request.user)
        elif "untag" in request.POST:
            services.untag_run(run=run, tag=request.POST["untag"], by=request.user)
        else:
            given = {name: request.POST[name] for name in ("name", "notes") if name in request.POST}
            services.describe_run(run=run, **given, by=request.user)
    except Invalid as invalid:
        messages.error(request, " ".join(map(str, invalid.faults)))
    except Refused as refused:
        messages.error(request, refused.detail)
    return redirect(f"{reverse('run_detail', args=[run.pk])}#about")


@require_safe
def artifact(request: HttpRequest, run_id: UUID, name: str) -> FileResponse:
    return download(find_run_or_404(run_id).directory, name)
