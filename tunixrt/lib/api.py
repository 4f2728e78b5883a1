"""What every API endpoint shares: strict JSON in, one shape of error out."""

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import OperationalError
from django.http import Http404
from django.utils.http import parse_header_parameters
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from training.errors import Fault, Invalid, echo
from training.json_rules import place
from training.strict_json import parse_json
from tunixrt.lib.errors import Refused, TooLarge

log = logging.getLogger(__name__)


class StrictJSONParser(BaseParser):
    """JSON as every room of tunixrt reads it: no duplicate keys, NaN, NUL, lone surrogates or bottomless nesting."""

    media_type = "application/json"

    def parse(self, stream, media_type=None, parser_context=None) -> Any:
        charset = parse_header_parameters(media_type or "")[1].get("charset", "utf-8")
        if charset.lower().replace("_", "-") not in ("utf-8", "utf8"):
            raise exceptions.UnsupportedMediaType(f"application/json; charset={charset}")
        try:
            body = stream.read(settings.UPLOAD_MAX_BYTES + 1)
        except RequestDataTooBig:
            body = b" " * (settings.UPLOAD_MAX_BYTES + 1)
        if len(body) > settings.UPLOAD_MAX_BYTES:
            raise TooLarge(f"The body is larger than {settings.UPLOAD_MAX_BYTES} bytes (UPLOAD_MAX_BYTES).")
        return self.read(body)

    def read(self, body: bytes) -> Any:
        """The value of the whole body. A subclass may bound its parts."""
        return parse_json(body)


class OneFormat(BaseContentNegotiation):
    """The view itself says what it answers: `Accept` is not asked, and `?format=` belongs to the view."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def answer_error(error: Exception, context: Mapping) -> Response | None:
    """Any exception as `{"detail", "code", "request_id", "errors"}` with the right status."""
    request = context["request"]
    if isinstance(error, Invalid):
        status, code, faults = (400, "malformed", error.faults) if error.malformed else (422, "invalid", error.faults)
        detail = str(faults[0]) if len(faults) == 1 else f"{len(faults)} things are wrong. First: {faults[0]}"
    elif isinstance(error, Refused):
        status, code, detail, faults = error.status, error.code, error.detail, error.faults
    elif isinstance(error, RequestDataTooBig):
        status, code, detail, faults = 413, "too_large", "The body is too large (UPLOAD_MAX_BYTES).", []
    elif isinstance(error, Http404):
        status, code, detail, faults = 404, "not_found", "There is no such thing.", []
    elif isinstance(error, OperationalError):
        log.warning("the database does not answer: %s", error)
        status, code, detail, faults = 503, "unavailable", "The database does not answer. Try again in a moment.", []
    elif isinstance(error, (exceptions.APIException, PermissionDenied, ValidationError)):
        return _answer_framework_error(error, context)
    else:
        return None
    response = Response(_body(request, detail, code, faults), status=status)
    if status == 503:
        response["Retry-After"] = "5"
    return response


def body_of(request: Request) -> Any:
    """The body as its parser read it. Raises Invalid when there is none, which the framework takes for `{}`."""
    if request.stream is None:
        raise Invalid(Fault((), "the body is empty; send JSON", "json"))
    return request.data


def only_known(query: Mapping[str, str], known: set[str]) -> None:
    """Refuses query parameters that no rule reads, by name, and NUL in any value."""
    faults = [
        Fault((place(name),), f"is not a parameter here; known are {', '.join(sorted(known))}", "unknown_parameter")
        for name in query
        if name not in known
    ]
    faults += [Fault((name,), "must not hold NUL", "nul_character") for name in query if "\0" in query[name]]
    if faults:
        raise Invalid(faults)


def read_object(data: Any, known: set[str]) -> dict:
    """`data` as an object whose keys are all known, else Invalid."""
    if not isinstance(data, dict):
        raise Invalid(Fault((), f"must be an object, not {echo(data)}", "not_object"))
    unknown = [key for key in data if key not in known]
    if unknown:
        allowed = ", ".join(sorted(known))
        msg = f"is not known here; allowed are {allowed}"
        raise Invalid(Fault((place(key),), msg, "unknown_field") for key in unknown)
    return data


def _answer_framework_error(error: Exception, context: Mapping) -> Response | None:
    response = exception_handler(error, context)
    if response is not None:
        detail = getattr(error, "detail", str(error))
        code = getattr(error, "get_codes", lambda: "refused")()
        response.data = _body(
            context["request"],
            detail if isinstance(detail, str) else str(detail),
            code if isinstance(code, str) else "invalid",
            [],
        )
    return response


def _body(request, detail: str, code: str, faults: list[Fault]) -> dict:
    return {
        "detail": str(detail),
        "code": code,
        "request_id": getattr(request, "id", None) or getattr(getattr(request, "_request", None), "id", ""),
        "errors": [fault.to_dict() for fault in faults],
    }
