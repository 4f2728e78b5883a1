"""What the API of traces takes and gives, for its OpenAPI description."""

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer
from rest_framework import serializers as s

from traces import models, ungar
from traces.filters import REVIEW_STATES
from traces.models.queries import BY_SCORE, ORDERS
from traces.scorers import SCORERS
from training.formats import FORMATS
from tunixrt.jobs.models import Job
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing

PAIR = [OpenApiParameter(name, str, required=True) for name in ("base", "other")]
FILTERS = [
    OpenApiParameter("source", str),
    OpenApiParameter("q", str, description="Words that all occur in the trace, the last perhaps only begun."),
    OpenApiParameter("min_score", float, description="By the baseline scorer."),
    OpenApiParameter("created_after", str, description="A date, or a time with its zone."),
    OpenApiParameter("tag", str),
    OpenApiParameter("steps.min", int),
    OpenApiParameter("steps.max", int),
    OpenApiParameter("characters.min", int, description="Of prompt, steps and final answer together."),
    OpenApiParameter("characters.max", int),
    OpenApiParameter("import.id", str),
    OpenApiParameter("review.is", str, enum=REVIEW_STATES),
    OpenApiParameter("twin.is", bool, description="Nearly repeats an older trace."),
    OpenApiParameter("scorers.disagree", bool),
    *(OpenApiParameter(f"score.{name}.{bound}", float) for name in SCORERS for bound in ("min", "max")),
    *(OpenApiParameter(f"wrong.{name}", bool, description="It found a wrong step.") for name in SCORERS),
    OpenApiParameter("score.SCORER@VERSION.min", float, description="By that version; likewise `max` and `wrong.`."),
    OpenApiParameter("meta.NAME", str, description="meta[NAME] equal: JSON where it can be read as such, else a text."),
]
PLACES = [
    *WINDOW_PARAMETERS,
    OpenApiParameter("cursor", str, description="`next_cursor` of the window before; costs the same however deep."),
    OpenApiParameter("sort", str, enum=(*ORDERS, *BY_SCORE)),
]

UNGAR_EXPORT = [
    OpenApiParameter("limit", int, description="At most so many rows."),
    OpenApiParameter("trace_ids", str, description="Only these, with commas between them."),
]


class Step(s.Serializer):
    i = s.IntegerField(min_value=0)
    type = s.CharField(max_length=64)
    content = s.CharField(max_length=20_000)


class Payload(s.Serializer):
    trace_version = s.CharField(max_length=64)
    prompt = s.CharField(max_length=50_000)
    steps = Step(many=True)
    final_answer = s.CharField(max_length=50_000)
    meta = s.DictField(required=False, allow_null=True)


class Answered(s.Serializer):
    """A row of an examination, as `eval_generate` writes it."""

    id = s.CharField(required=False)
    prompt = s.CharField(max_length=50_000)
    expected_answer = s.CharField()
    output = s.CharField(help_text="With its steps and its answer, numbered or in tags; at most 64 KiB.")
    answer = s.CharField(required=False, allow_null=True, help_text="Without it, the one that the output shows.")
    correct = s.BooleanField(required=False, allow_null=True)
    judges = s.DictField(required=False)
    output_tokens = s.IntegerField(required=False)
    finish_reason = s.CharField(required=False)


BATCH = PolymorphicProxySerializer(
    component_name="BatchItem", serializers=[Payload, Answered], resource_type_field_name=None, many=True
)


class Created(s.Serializer):
    id = s.UUIDField()
    created_at = s.DateTimeField()
    trace_version = s.CharField()


class Batch(s.Serializer):
    created_count = s.IntegerField()
    traces = Created(many=True)


class TraceRow(Created):
    prompt = s.CharField()
    final_answer = s.CharField()
    step_count = s.IntegerField()
    source = s.CharField()
    score = s.FloatField(allow_null=True)


class TraceScore(s.Serializer):
    scorer = s.CharField()
    version = s.CharField()
    score = s.FloatField(allow_null=True, help_text="0 to 100; null where there was nothing to judge.")
    first_wrong = s.IntegerField(allow_null=True, help_text="`i` of the first step that it finds wrong.")
    details = s.DictField()
    created_at = s.DateTimeField()


class ReviewRequest(s.Serializer):
    rating = s.ChoiceField([(-1, "a mistake"), (0, "neutral"), (1, "good")])
    note = s.CharField(required=False, allow_blank=True, max_length=models.judging.MAX_NOTE)


class Review(s.Serializer):
    step = s.IntegerField(help_text="The step's `i`.")
    rating = s.IntegerField(min_value=-1, max_value=1)
    note = s.CharField()
    reviewer = s.CharField(allow_null=True)
    created_at = s.DateTimeField(help_text="When this rating was given.")
    updated_at = s.DateTimeField()


class Trace(Created):
    payload = Payload()
    content_sha256 = s.CharField()
    parent = s.UUIDField(allow_null=True)
    tags = s.ListField(child=s.CharField())
    scores = TraceScore(many=True)
    reviews = Review(many=True)


class ScoreRequest(s.Serializer):
    criteria = s.CharField(default="baseline")


class Scored(s.Serializer):
    trace_id = s.UUIDField()
    score = s.FloatField(allow_null=True)
    details = s.DictField()


class ComparedTrace(Created):
    score = s.FloatField()
    payload = Payload()


class TraceComparison(s.Serializer):
    base = ComparedTrace()
    other = ComparedTrace()


class ImportRequest(s.Serializer):
    file = s.FileField()
    format = s.ChoiceField(["auto", *FORMATS], default="auto")
    source = s.CharField(
        required=False, help_text="`meta.source` of rows that are not traces yet; else the file's name."
    )
    skip_bad = s.BooleanField(default=False)
    dry_run = s.BooleanField(default=False, help_text="Only tell what the first rows would become; keep nothing.")


class Mapping(s.Serializer):
    column = s.CharField()
    becomes = s.CharField()


class Preview(s.Serializer):
    format = s.CharField(allow_null=True, help_text="As found or asked for.")
    mapping = Mapping(many=True)
    rows_read = s.IntegerField()
    whole_file = s.BooleanField(help_text="Whether these were all its rows.")
    good_count = s.IntegerField()
    bad_count = s.IntegerField()
    traces = Payload(many=True, help_text="The first good rows.")
    errors = s.ListField(child=s.DictField(), help_text="The first faults.")


class ImportProgress(s.Serializer):
    done = s.IntegerField()
    total = s.IntegerField(allow_null=True)
    eta_seconds = s.FloatField(allow_null=True)
    message = s.CharField()


class Import(s.Serializer):
    id = s.UUIDField()
    url = s.CharField()
    status = s.ChoiceField(models.Import.Status.choices)
    file_name = s.CharField()
    file_sha256 = s.CharField()
    file_bytes = s.IntegerField()
    format = s.CharField()
    source = s.CharField()
    skip_bad = s.BooleanField()
    stored_count = s.IntegerField()
    duplicate_count = s.IntegerField()
    bad_count = s.IntegerField()
    twin_count = s.IntegerField(allow_null=True, help_text="Near-duplicates of older traces, once looked for.")
    errors = s.ListField(child=s.DictField())
    created_at = s.DateTimeField()
    finished_at = s.DateTimeField(allow_null=True)
    progress = ImportProgress(allow_null=True)


class ScoringRequest(s.Serializer):
    scorers = s.ListField(child=s.ChoiceField([*SCORERS, "all"]), default=["all"])
    filters = s.DictField(default={}, help_text="As in a query string; without any, all traces.")


class Progress(s.Serializer):
    done = s.IntegerField()
    total = s.IntegerField(allow_null=True)
    eta_seconds = s.FloatField(allow_null=True)


class Scoring(s.Serializer):
    id = s.UUIDField()
    url = s.CharField()
    scorers = s.ListField(child=s.CharField())
    filters = s.DictField()
    status = s.ChoiceField(Job.Status.choices, allow_null=True)
    error = s.CharField()
    scored_count = s.IntegerField(help_text="Scores that are new.")
    created_at = s.DateTimeField()
    progress = Progress(allow_null=True)


class UngarStatus(s.Serializer):
    available = s.BooleanField()
    version = s.CharField(allow_null=True)
    install = s.CharField(help_text="The line that installs the version that fits.")


class UngarRequest(s.Serializer):
    count = s.IntegerField(min_value=1, max_value=100)
    seed = s.IntegerField(min_value=0, required=False, help_text="Of the first episode; drawn when absent.")
    task = s.ChoiceField(list(ungar.TASKS), default=ungar.REVEAL)
    persist = s.BooleanField(default=True, help_text="false only shows what the traces would be.")


class UngarEpisode(s.Serializer):
    trace_id = s.UUIDField(allow_null=True)
    source = s.CharField()
    game = s.CharField()
    episode_index = s.IntegerField()
    my_card = s.CharField()
    opponent_card = s.CharField()
    result = s.ChoiceField(list(ungar.RESULTS.values()))
    seed = s.IntegerField()
    task = s.CharField(required=False)
    prompt = s.CharField()
    steps = s.ListField(child=s.CharField())
    final_answer = s.CharField()


class UngarGenerated(s.Serializer):
    trace_ids = s.ListField(child=s.UUIDField())
    preview = UngarEpisode(many=True)
    seed = s.IntegerField()
    task = s.CharField()


Traces = listing(TraceRow)
