"""Words of the templates that every room uses. A builtin library: no `{% load %}` needed."""

from datetime import UTC, datetime

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma, ordinal
from django.http import QueryDict
from django.template.defaultfilters import stringfilter
from django.utils.dateformat import format as format_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_htmx.templatetags import django_htmx

MISSING = (None, "")  # a template gives an empty text for what a mapping lacks

register = template.Library()
register.simple_tag(django_htmx.htmx_script, takes_context=True)
register.filter(intcomma)
register.filter(ordinal)


@register.filter
def percent(share: float | None) -> str:
    """0.985 → "98.5 %"; None → "–"."""
    return "–" if share in MISSING else f"{100 * share:.1f} %"


@register.filter
def interval(pair: list[float] | None) -> str:
    """[0.957, 0.995] → "95.7–99.5 %"."""
    return "" if not pair else f"{100 * pair[0]:.1f}–{100 * pair[1]:.1f} %"


@register.filter
def across(share: float) -> str:
    """Where a share stands on a drawing that is 100 wide."""
    return f"{100 * share:.1f}"


@register.filter
def points(share: float) -> str:
    """A difference of two shares in percentage points: 0.645 → "+64.5", with the minus of typesetters."""
    return f"{100 * share:+.1f}".replace("-", "−")


@register.filter
def figures(number: float | None) -> str:
    """Four significant figures, or "–"."""
    return "–" if number in MISSING else f"{number:.4g}"


@register.filter
def duration(seconds: float | None) -> str:
    """75 → "1 min 15 s"; None → "–"."""
    if seconds in MISSING:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@register.filter
def moment(at: datetime) -> SafeString:
    """The time to the minute; pointed at, to the second and with its zone."""
    at = at.astimezone(UTC)
    title, text = f"{at:%Y-%m-%d %H:%M:%S} UTC", format_date(at, "j M Y H:i")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), title, text)


@register.filter
def words(name: object) -> str:
    """ "training_failed" → "training failed"."""
    return str(name).replace("_", " ")


@register.filter
def short(identifier: object) -> str:
    """The last eight characters of a uuid or the first twelve of a hash: enough to tell two apart on a page."""
    text = str(identifier)
    return text[-8:] if "-" in text else text[:12]


@register.filter(is_safe=True)
@stringfilter
def truncatechars(text: str, length: int) -> str:
    """At most so many characters, the last of them "…" where there are more.

    Takes the place of Django's own, which counts no marks and takes the square of their number.
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: object) -> str:
    """The present query string with `changes`; None takes a parameter out. For pagers and filters."""
    query: QueryDict = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = str(value)
    return "?" + query.urlencode()
