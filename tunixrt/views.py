"""The frame's own pages: home, tokens, health, and what is shown when something is not there."""

import sys

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.views.decorators.http import require_http_methods, require_safe
from knox.models import AuthToken

from datasets_app.models import Dataset
from runs.models import Run
from traces.models import Trace
from tunixrt import state


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "home.html",
        {
            "traces": Trace.objects.visible().count(),
            "datasets": Dataset.objects.frozen().count(),
            "completed": Run.objects.completed().count(),
            "runs": Run.objects.with_tags().shown().newest_first()[:8],
            "checks": state.checks(),
        },
    )


@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """Tokens for the API: made here, shown once, stored only as a hash."""
    made = None
    if request.method == "POST" and request.POST.get("revoke"):
        AuthToken.objects.filter(user=request.user, token_key=request.POST["revoke"].replace("\0", "")).delete()
        messages.success(request, "The token is revoked.")
        return redirect("tokens")
    if request.method == "POST":
        _, made = AuthToken.objects.create(request.user)
    mine = AuthToken.objects.filter(user=request.user).order_by("-created")
    return render(request, "tokens.html", {"tokens": mine, "made": made})


@login_not_required
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "healthy"})


@login_not_required
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Each part with its state; 503 when one that is needed does not answer."""
    checks = state.checks()
    well = all(check.state != "down" for check in checks)
    body = {"status": "ready" if well else "degraded", "checks": {c.name: c.to_dict() for c in checks}}
    return JsonResponse(body, status=200 if well else 503)


@login_not_required
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for this address on pages that name no icon of their own, such as the admin's."""
    return redirect(static("tunixrt/mark.svg"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain_error(request, 400, "malformed", "The request cannot be read: a host, a form or a header is wrong.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _plain_error(request, 403, "permission_denied", f"{reason} Reload the page you came from and send it again.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain_error(request, 404, "not_found", "There is no such page.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Also what is shown while the database does not answer: then nothing may be read from it, not even who asks."""
    if isinstance(sys.exception(), OperationalError):
        detail = "The database does not answer. Try again in a moment."
        context = {"detail": detail, "status": 503, "request_id": getattr(request, "id", "")}
        return HttpResponse(render_to_string("error.html", context), status=503, headers={"Retry-After": "5"})
    return _plain_error(request, 500, "server_error", "Something broke here. The log has the details.")


def _plain_error(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    request_id = getattr(request, "id", "")
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": detail, "code": code, "request_id": request_id, "errors": []}, status=status)
    return render(request, "error.html", {"detail": detail, "status": status, "request_id": request_id}, status=status)
