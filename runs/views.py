"""Pages of runs. What they draw is put together in `runs.panels`; what they do is a service."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from datasets_app.models import Dataset, EvalSet
from runs import ledgers, panels, services, watching
from runs.artifacts import MAX_FILES, content_type, list_artifacts, open_artifact, size_by_kind
from runs.filters import FILTERS, filtered_runs
from runs.forms import PREFERRED, LaunchForm, initial_of
from runs.models import Evaluation, Prediction, Run
from traces.models import Trace
from training.config import CONFIGS
from training.errors import Invalid
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Conflict, Refused
from tunixrt.lib.windows import window

CROWD = watching.Crowd()
LEDGER_LISTS = ("never_learned", "forgotten")
MAX_DIGITS = 11  # of a step
PLANNED_ROWS = 20_000  # of a larger dataset a page cannot wait for the plan


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
    run = find(run_id)
    job, artifacts = run.job, list_artifacts(run.directory)
    context = {
        "room": "runs",
        "tag": panels.shown_tag(run, job, request.GET),  # before anything is read: what is newer is news to the page
        "verdict": panels.verdict(run),
        "events": run.events.select_related("created_by"),
        "artifacts": artifacts,
        "sizes": size_by_kind(artifacts),
        "total": sum(artifact.size for artifact in artifacts),
        "is_cut": len(artifacts) == MAX_FILES,
        "children": run.children.newest_first(),
        "failed_replay": run.children.not_reproducing().newest_first().first(),
        "actions": panels.actions(run),
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
    run = find(run_id)
    try:
        concerned = service(run=run, by=request.user) or run
    except Refused as refused:
        messages.error(request, refused.detail)
        concerned = run
    return redirect("run_detail", concerned.pk)


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, run_id: UUID, service: Callable, removal: str) -> HttpResponse:
    """Shows what a purge or a deletion would take; its button does it."""
    run = find(run_id)
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
    run = find(run_id)
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
def predictions(request: HttpRequest, run_id: UUID) -> HttpResponse:
    run = find(run_id)
    stage = "before" if request.GET.get("stage") == "before" else "after"
    rows = Prediction.objects.of_run(run, stage)
    correct = {"true": True, "false": False}.get(request.GET.get("correct", ""))
    if correct is not None:
        rows = rows.filter(correct=correct)
    outcome = request.GET.get("outcome", "")
    if outcome in panels.OUTCOMES:
        rows = rows.judged(run, **panels.OUTCOMES[outcome])
    found = window(rows, request.GET.get("offset"))
    context = {
        "room": "runs",
        "run": run,
        "stage": stage,
        "correct": correct,
        "outcome": outcome,
        "outcomes": [(name, name.replace("_", " ")) for name in panels.OUTCOMES],
        "window": found,
        "rows": [(row, panels.steps(row, run)) for row in found.rows],
        "evaluation": run.evaluations.current().filter(stage=stage).first(),
    }
    return render(request, "runs/predictions.html", context)


@require_safe
def prediction(request: HttpRequest, run_id: UUID, item_id: int) -> HttpResponse:
    """One item, answered before and after training."""
    run = find(run_id)
    item = get_object_or_404(run.evalset.items, pk=min(item_id, 2**63 - 1))
    answers = [
        (stage, row, panels.steps(row, run) if row else [])
        for stage in Evaluation.Stage.values
        for row in [Prediction.objects.of_run(run, stage).filter(item=item).first()]
    ]
    return render(request, "runs/prediction.html", {"room": "runs", "run": run, "item": item, "answers": answers})


@require_safe
def ledger(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The rows of a step ranked by loss, or those that were never learned, or forgotten."""
    run = find(run_id)
    context: dict[str, Any] = {"room": "runs", "run": run}
    try:
        found = ledgers.find_ledger(run)
    except Conflict as conflict:
        return render(request, "runs/ledger.html", context | {"refusal": conflict.detail})
    kind, number = request.GET.get("list", ""), request.GET.get("step", "")
    # Counted only where a list is shown: a step is found in no time, the lists take a look at everything.
    lists = {"never_learned": found.never_learned(), "forgotten": found.forgotten()} if kind in LEDGER_LISTS else {}
    step = ledgers.step_of(found, int(number) if number.isdecimal() and len(number) < MAX_DIGITS else None)
    shown = window(lists.get(kind, step.looks), request.GET.get("offset"))
    numbers = [fact.row if lists else int(fact["row"]) for fact in shown.rows]
    context |= {
        "kind": kind if lists else "",
        "lists": [(name, len(lists[name]) if lists else None) for name in LEDGER_LISTS],
        "threshold": found.threshold if lists else None,
        "looks": found.looks_a_row if lists else None,
        "step": step,
        "window": shown,
        "rows": ledgers.rows_of(found, shown.rows, numbers),
    }
    return render(request, "runs/ledger.html", context)


@require_safe
def trace_losses(request: HttpRequest, trace_id: UUID) -> HttpResponse:
    """What the newest runs made of a trace, for the trace's page."""
    trace = get_object_or_404(Trace.objects.visible(), pk=trace_id)
    found = ledgers.histories(trace)
    context = {"room": "traces", "trace": trace, "histories": found, "chart": ledgers.chart(found)}
    template = "runs/_of_trace.html" if request.htmx else "runs/of_trace.html"
    return render(request, template, context | {"most": ledgers.RUNS_OF_A_TRACE})


@require_safe
def artifact(request: HttpRequest, run_id: UUID, name: str) -> FileResponse:
    try:
        file = open_artifact(find(run_id).directory, name)
    except FileNotFoundError:
        raise Http404
    filename = name.rpartition("/")[2]
    response = FileResponse(file, as_attachment=True, filename=filename, content_type=content_type(name))
    response["Content-Security-Policy"] = "sandbox"
    return response


@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two runs beside each other; `run` twice, as the list's boxes send it, means the older one as base."""
    ticked = sorted(request.GET.getlist("run"))
    named = ticked if len(ticked) == 2 else [request.GET.get("base", ""), request.GET.get("other", "")]
    base, other = (panels.find_run(name) for name in named)
    context = {"room": "runs", "sides": [("base", base), ("other", other)]}
    if base and other:
        context |= panels.comparison(base, other, request.GET)
    context["recent"] = Run.objects.completed().shown().newest_first()[:50]
    return render(request, "runs/compare.html", context)


@require_safe
def leaderboard(request: HttpRequest) -> HttpResponse:
    """Runs ranked on one evalset: the one asked for, else that of the newest completed run."""
    evalsets = EvalSet.objects.filter(runs__in=Run.objects.completed().shown()).distinct()
    chosen = panels.find_evalset(request.GET.get("evalset", ""))
    newest = Run.objects.completed().shown().with_dataset().newest_first().first()
    evalset = chosen or (newest.evalset if newest else None)
    standings = services.leaderboard(evalset=evalset) if evalset else []
    context = {"room": "leaderboard", "evalsets": evalsets, "evalset": evalset, "standings": standings}
    return render(request, "runs/leaderboard.html", context)


@require_safe
def dataset_plan(request: HttpRequest, key: str) -> HttpResponse:
    """What a run of a named config on a dataset would be, for the dataset's page."""
    dataset = get_object_or_404(Dataset.objects.with_key(key))
    context = {"room": "datasets", "dataset": dataset, "configs": CONFIGS, "most": PLANNED_ROWS}
    context["config"] = config = request.GET.get("config", PREFERRED)
    try:
        if dataset.trace_count <= PLANNED_ROWS:
            context["plan"] = services.plan_run(dataset_key=key, config_name=config)
    except Invalid as invalid:
        context["faults"] = invalid.faults
    except Refused as refused:
        context["refusal"] = refused.detail
    template = "runs/_dataset_plan.html" if request.htmx else "runs/dataset_plan.html"
    return render(request, template, context)


@require_safe
def dataset_runs(request: HttpRequest, key: str) -> HttpResponse:
    """The runs of a dataset, for the dataset's page."""
    dataset = get_object_or_404(Dataset, key=key.replace("\0", "\ufffd"))
    runs = Run.objects.with_tags().shown().newest_first().filter(dataset=dataset)
    context = {"room": "datasets", "dataset": dataset, "window": window(runs, request.GET.get("offset"))}
    template = "runs/_dataset_runs.html" if request.htmx else "runs/dataset_runs.html"
    return render(request, template, context)


def find(run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.with_dataset(), pk=run_id)
