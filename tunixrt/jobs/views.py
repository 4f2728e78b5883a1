"""The page of workers."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from tunixrt.jobs import services
from tunixrt.jobs.models import Job
from tunixrt.lib.errors import Refused


@require_safe
def worker_list(request: HttpRequest) -> HttpResponse:
    waiting = Job.objects.waiting().count()
    return render(request, "jobs/workers.html", {"room": "workers", "workers": services.workers(), "waiting": waiting})


@require_POST
def worker_drain(request: HttpRequest, name: str) -> HttpResponse:
    try:
        services.drain_worker(name=name, by=request.user)
    except Refused as refused:
        messages.error(request, refused.detail)
    else:
        messages.success(request, f"{name} hands back what it does at its next checkpoint and stops.")
    return redirect("worker_list")
