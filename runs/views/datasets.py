"""What the page of a dataset shows of its runs."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from datasets_app.models import Dataset
from runs import services
from runs.forms import PREFERRED
from runs.models import Run
from training.config import CONFIGS
from training.errors import Invalid
from tunixrt.lib.errors import Refused
from tunixrt.lib.windows import window

PLANNED_ROWS = 20_000  # of a larger dataset a page cannot wait for the plan


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
