"""What the API of runs takes and gives, for its OpenAPI description."""

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers as s

from runs import answers, models
from training.decision import HOLD, NEED, SHIP
from training.slices import BETTER, DIMENSIONS, NOT_TOLD_APART, WORSE
from training.splits import SPLITS
from training.step_diff import KINDS
from tunixrt.lib.schemas import Pagination


def text(name: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, str, required=required)


def choice(name: str, values: list[str]) -> OpenApiParameter:
    return OpenApiParameter(name, str, enum=values)


EVALSET = OpenApiParameter("evalset", str, required=True, description="Its id or its SHA-256.")

ENTRY_FILTERS = [
    choice("engine", models.Run.Engine.values),
    text("dataset_key"),
    text("recipe"),
    OpenApiParameter("model", str, description="Family, and size or weights, as in `gemma3 tiny`."),
    text("tag"),
]

STAGE = OpenApiParameter(
    "stage", str, description="`before`, `after` (default), or the step of an examined checkpoint."
)
TWO_RUNS = [text("base", required=True), text("other", required=True)]
ANSWER_FILTERS = [
    choice("outcome", [*answers.OUTCOMES, answers.SKIPPED]),
    choice("correct", list(answers.CORRECT)),
    *map(text, answers.LABELS),
    OpenApiParameter("judged", str, description="A judge and its verdict: `format_valid:failed`."),
    OpenApiParameter("q", str, description="In the prompt or in the output."),
]
AFTER = OpenApiParameter("after", int, description="Byte offset: `next` of the answer before.")

STEP = OpenApiParameter("step", int, description="An update; `row` asks for one row's losses over time instead.")

LIMIT = OpenApiParameter("limit", int, description="At most so many rows.")

CHECKPOINT_STEP = OpenApiParameter("step", int, description="Of the checkpoint, where `stage` is `step`.")


class Run(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    status = s.ChoiceField(models.Run.Status.choices)
    engine = s.ChoiceField(models.Run.Engine.choices)
    origin = s.ChoiceField(models.Run.Origin.choices)
    seed = s.IntegerField()
    config = s.DictField()
    config_sha256 = s.CharField()
    metrics = s.DictField()
    attempt = s.IntegerField()
    dataset_key = s.CharField()
    contaminated = s.BooleanField(help_text="Whether its dataset gives away what is asked somewhere.")
    evalset = s.UUIDField()
    error = s.CharField()
    parent = s.UUIDField(allow_null=True)
    notes = s.CharField()
    tags = s.ListField(child=s.CharField())
    queue_position = s.IntegerField(allow_null=True, help_text="From 1, while it waits for a worker.")
    replay = s.DictField(allow_null=True, help_text="Of a replay: whether it gave the same as its parent, else why.")
    reproduced = s.IntegerField(help_text="How many replays of this run gave the same.")
    reproduced_at = s.DateTimeField(allow_null=True)
    created_at = s.DateTimeField()
    started_at = s.DateTimeField(allow_null=True)
    finished_at = s.DateTimeField(allow_null=True)
    archived_at = s.DateTimeField(allow_null=True)
    purged_at = s.DateTimeField(allow_null=True, help_text="From then on its checkpoints are gone or going.")


class Launch(s.Serializer):
    dataset_key = s.CharField()
    config = s.DictField(required=False, help_text="A whole config, or else config_name.")
    config_name = s.CharField(required=False)
    seed = s.IntegerField(required=False, help_text="Drawn and recorded when not given.")
    engine = s.ChoiceField(models.Run.Engine.choices, default="jax")
    name = s.CharField(required=False)
    evalset = s.UUIDField(required=False, help_text="The dataset's test split, else its valid split, by default.")
    dry_run = s.BooleanField(default=False)


class Clone(Launch):
    dataset_key = s.CharField(required=False)
    engine = s.ChoiceField(models.Run.Engine.choices, required=False)
    dry_run = None


class Description(s.Serializer):
    name = s.CharField(required=False)
    notes = s.CharField(required=False, help_text="At most 10,000 characters.")
    tags = s.ListField(child=s.CharField(), required=False, help_text="All of them: those left out are taken off.")


class Plan(s.Serializer):
    parameters = s.IntegerField()
    trained_parameters = s.IntegerField(help_text="Fewer than all where adapters are trained.")
    vocab_size = s.IntegerField()
    rows = s.DictField(child=s.IntegerField())
    overlong = s.DictField(child=s.IntegerField(), help_text="Rows left out, and their tokens.")
    fill = s.FloatField()
    tokens_per_update = s.IntegerField()
    updates = s.IntegerField()
    epochs = s.FloatField()
    tokens = s.IntegerField(help_text="Of the whole run.")
    memory_bytes = s.IntegerField(help_text="Of the process at its peak, within some tenths.")
    memory = s.DictField(child=s.IntegerField(), help_text="What takes how many bytes; see docs/scale.md.")
    checkpoints = s.IntegerField(help_text="On the disk at once, at most; with eval.checkpoints all, until examined.")
    checkpoint_bytes = s.IntegerField(help_text="All of them together.")
    seconds = s.FloatField(allow_null=True, help_text="At the pace of the newest run that computed alike.")


class Prediction(s.Serializer):
    id = s.CharField()
    prompt = s.CharField()
    expected_answer = s.CharField()
    output = s.CharField()
    answer = s.CharField(allow_null=True)
    correct = s.BooleanField(allow_null=True)
    judges = s.DictField()
    output_tokens = s.IntegerField()
    finish_reason = s.CharField()
    loss = s.FloatField(required=False, help_text="Of the reference, in nats a token; absent where none fits.")


class Look(s.Serializer):
    id = s.CharField(help_text="The row's: a trace's id.")
    step = s.IntegerField()
    tokens = s.IntegerField(help_text="Trained ones of the row.")
    loss = s.FloatField(allow_null=True, help_text="Mean over them; null when it was no number.")


class Learning(s.Serializer):
    looks = s.IntegerField()
    first = s.FloatField(allow_null=True, help_text="The loss at the first look.")
    last = s.FloatField(allow_null=True)
    verdict = s.ChoiceField(["learned", "forgotten", "never learned"])


class Cause(s.Serializer):
    id = s.UUIDField(help_text="The trace's.")
    position = s.IntegerField(help_text="In the dataset.")
    score = s.FloatField(help_text="1 where a row asks and answers the same.")
    prompt = s.CharField()
    final_answer = s.CharField()
    learning = Learning(allow_null=True, help_text="Null where the ledger has no look at it.")


class Causes(s.Serializer):
    data = Cause(many=True)
    no_ledger = s.CharField(allow_null=True, help_text="Why the run has no ledger, where it has none.")


class Promote(s.Serializer):
    steps = s.ListField(child=s.CharField(), required=False, help_text="The model's own when not given.")
    final_answer = s.CharField(required=False, help_text="Likewise.")
    confirmed = s.BooleanField(help_text="Must be true: the trace gives a question of an evalset away.")


class Promoted(s.Serializer):
    trace_id = s.UUIDField()
    new = s.BooleanField(help_text="False where the same text was promoted from this item before.")
    as_generated = s.BooleanField()
    as_expected = s.BooleanField(help_text="Whether its answer is the item's expected one.")
    split = s.ChoiceField(SPLITS, help_text="Where datasets put its question, unless an older near-twin decides.")


class Evaluation(s.Serializer):
    id = s.UUIDField()
    stage = s.ChoiceField(models.Evaluation.Stage.choices)
    checkpoint_step = s.IntegerField()
    metrics = s.DictField()
    intervals = s.DictField()
    judges = s.DictField(child=s.CharField(), help_text="Name and version of each that judged its rows.")
    correct_count = s.IntegerField()
    scored_count = s.IntegerField()
    created_at = s.DateTimeField()


class Change(s.Serializer):
    won = s.IntegerField()
    lost = s.IntegerField()
    kept_right = s.IntegerField()
    kept_wrong = s.IntegerField()
    skipped = s.IntegerField()
    p_value = s.FloatField()
    difference = s.FloatField()
    interval = s.ListField(child=s.FloatField())


class NoiseFloor(s.Serializer):
    runs = s.IntegerField(help_text="Alike but for their seed.")
    lowest = s.FloatField()
    highest = s.FloatField()
    deviation = s.FloatField()
    limit = s.FloatField(help_text="What two such runs differ by at most, 95 % of the time.")


class Evidence(s.Serializer):
    n = s.IntegerField(help_text="Items judged in both, those that ask the same once.")
    won = s.IntegerField()
    lost = s.IntegerField()
    base_right = s.IntegerField()
    other_right = s.IntegerField()
    skipped = s.IntegerField()
    asked_in_one = s.IntegerField()
    repeated = s.IntegerField()
    p_value = s.FloatField(help_text="McNemar's, exact.")
    difference = s.FloatField()
    interval = s.ListField(child=s.FloatField(), help_text="Of the difference, Bonett and Price's.")
    bootstrap = s.ListField(child=s.FloatField(), help_text="Of the difference, by the paired bootstrap.")
    base_interval = s.ListField(child=s.FloatField(), help_text="Wilson's.")
    other_interval = s.ListField(child=s.FloatField())
    detectable = s.FloatField(allow_null=True, help_text="The smallest difference that so many items show.")
    items_needed = s.IntegerField(allow_null=True, help_text="About how many show the difference seen.")
    noise = NoiseFloor(allow_null=True, help_text="That the decision rests on.")


class Slice(s.Serializer):
    dimension = s.ChoiceField(DIMENSIONS)
    label = s.CharField()
    n = s.IntegerField()
    base_right = s.IntegerField()
    other_right = s.IntegerField()
    won = s.IntegerField()
    lost = s.IntegerField()
    difference = s.FloatField()
    interval = s.ListField(child=s.FloatField())
    p_value = s.FloatField()
    holm_p = s.FloatField(allow_null=True, help_text="Among all slices; null where too few items changed.")
    mark = s.ChoiceField([BETTER, WORSE, NOT_TOLD_APART])


class Decision(s.Serializer):
    decision = s.CharField(help_text="SHIP, HOLD or NEED n MORE ITEMS; docs/verdicts.md has the rules.")
    word = s.ChoiceField([SHIP, HOLD, NEED])
    rule = s.CharField()
    reason = s.CharField()
    more_items = s.IntegerField(allow_null=True)
    evidence = Evidence()
    slices = Slice(many=True)


class AtStep(Evaluation):
    won = s.IntegerField(help_text="Items right here and not at the checkpoint before.")
    lost = s.IntegerField(help_text="Items right at the checkpoint before and not here.")
    best = s.BooleanField(help_text="Whether it is the chosen one.")


class Best(s.Serializer):
    checkpoint_step = s.IntegerField()
    last_step = s.IntegerField()
    won = s.IntegerField(help_text="Items right at the chosen checkpoint and not at the last.")
    lost = s.IntegerField()
    p_value = s.FloatField()
    p_adjusted = s.FloatField(help_text="The p with the choice among several accounted for.")
    told_apart = s.BooleanField()
    expected_correctness = s.FloatField(allow_null=True, help_text="Of the chosen one, on items it was not chosen by.")


class Verdict(Decision):
    evalset = s.UUIDField()
    before = Evaluation()
    after = Evaluation()
    comparison = Change()
    noise_floor = NoiseFloor(allow_null=True, help_text="Null where it was not measured.")
    best_step = s.IntegerField(allow_null=True, help_text="The checkpoint chosen by its answers; null if none was.")
    best = Best(allow_null=True)
    steps = AtStep(many=True, help_text="All checkpoints, where the run's config says eval.checkpoints.")
    forgotten = s.IntegerField(help_text="Items right at some checkpoint and not at the last.")


class _Tally(s.Serializer):
    won = s.IntegerField()
    lost = s.IntegerField()
    kept = s.IntegerField()
    difference = s.FloatField()
    interval = s.ListField(child=s.FloatField())
    p_value = s.FloatField()


class _WorsePart(_Tally):
    name = s.CharField()
    p_value = s.FloatField(help_text="After Holm's correction.")


class _Said(_Tally):
    passed = s.BooleanField()
    reason = s.CharField(help_text="One sentence.")
    margin = s.FloatField(help_text="Points that are let pass.")
    worse = _WorsePart(many=True)


class Gate(_Said):
    base = s.UUIDField()
    other = s.UUIDField()
    evalset = s.UUIDField()


class _Event(s.Serializer):
    from_status = s.CharField()
    to_status = s.CharField()
    reason = s.CharField()
    created_at = s.DateTimeField()
    created_by = s.CharField(allow_null=True)


class RunPagination(s.Serializer):
    limit = s.IntegerField()
    offset = s.IntegerField()
    next_offset = s.IntegerField(allow_null=True)


class _Score(s.Serializer):
    right = s.IntegerField()
    scored = s.IntegerField()
    score = s.FloatField()
    interval = s.ListField(child=s.FloatField())
    judges = s.DictField(child=s.CharField(), help_text="Name and version.")


class Record(_Score):
    run = s.UUIDField()
    name = s.CharField()
    dataset_key = s.CharField()
    engine = s.ChoiceField(models.Run.Engine.choices)
    recipe = s.CharField()
    model = s.CharField()
    launched_at = s.DateTimeField()
    baseline = s.BooleanField(help_text="Whether others are held against it now.")
    baseline_since = s.ListField(child=s.DateTimeField(), help_text="Whenever it was made the baseline.")
    gate = _Said(allow_null=True)
    why = s.CharField(help_text="Why the gate says nothing.")


class _Clean(s.Serializer):
    right = s.IntegerField(allow_null=True)
    scored = s.IntegerField(allow_null=True)
    score = s.FloatField(allow_null=True, help_text="Over the items that are not given away; null when not known.")
    interval = s.ListField(child=s.FloatField(), allow_null=True)


class _Exposure(s.Serializer):
    checked = s.BooleanField(help_text="Whether its dataset was ever held against these items.")
    given_away = s.IntegerField(allow_null=True, help_text="Items that train rows of its dataset give away.")
    clean = _Clean()


class Standing(Run, _Score):
    rank = s.IntegerField(help_text="Among those that the same version judged.")
    tied = s.BooleanField(help_text="Whether another has the same rank.")
    contamination = _Exposure()
    baseline = s.BooleanField(help_text="Whether others are held against it now.")


def _growing(name: str, child: s.Field) -> s.Serializer:
    fields = {"data": s.ListField(child=child), "next": s.IntegerField(), "more": s.BooleanField()}
    return inline_serializer(name, fields)


def _all(name: str, row: s.Serializer) -> s.Serializer:
    return inline_serializer(name, {"data": row})


Points = _growing("RunPoints", s.DictField())
Lines = _growing("RunLines", s.CharField())
Events = _all("RunEvents", _Event(many=True))
_Size = inline_serializer("ArtifactSize", {"files": s.IntegerField(), "bytes": s.IntegerField()})
Artifacts = inline_serializer(
    "RunArtifacts",
    {
        "data": inline_serializer("RunArtifact", {"path": s.CharField(), "size": s.IntegerField()}, many=True),
        "bytes": s.IntegerField(),
        "kinds": s.DictField(child=_Size),
    },
)
_Holder = {"id": s.UUIDField(), "name": s.CharField(), "status": s.ChoiceField(models.Run.Status.choices)}
Removals = _all(
    "RunRemovals",
    inline_serializer(
        "RunRemoval",
        {
            "id": s.UUIDField(),
            "name": s.CharField(),
            "removal": s.ChoiceField(models.Run.Removal.choices),
            "files": s.IntegerField(),
            "bytes": s.IntegerField(),
            "predictions": s.IntegerField(),
            "held_by": inline_serializer("RunHolder", _Holder, many=True),
            "baseline_of": s.UUIDField(allow_null=True, help_text="The evalset whose runs are held against it."),
        },
        many=True,
    ),
)
Comparison = inline_serializer(
    "RunComparison",
    {
        "base": Run(),
        "other": Run(),
        "config": inline_serializer(
            "ConfigDifference", {"path": s.CharField(), "base": s.JSONField(), "other": s.JSONField()}, many=True
        ),
        "results": Change(),
        "changed": inline_serializer("ChangedItem", {"id": s.CharField(), "won": s.BooleanField()}, many=True),
        **Decision().get_fields(),
    },
)
_Counts = inline_serializer("OutcomeCounts", {name: s.IntegerField() for name in answers.ALWAYS["outcome"]})
_Answered = {"answer": s.CharField(allow_null=True), "correct": s.BooleanField(allow_null=True)}
_Item = {
    **{name: s.CharField() for name in ("id", "prompt", "expected_answer", "category", "difficulty")},
    "section": s.CharField(required=False),
    "outcome": s.ChoiceField(answers.ALWAYS["outcome"]),
}
ComparedItems = inline_serializer(
    "ComparedItems",
    {
        "data": inline_serializer(
            "ComparedAnswers",
            {
                **_Item,
                "base": inline_serializer("BaseAnswered", _Answered),
                "other": inline_serializer("OtherAnswered", _Answered),
            },
            many=True,
        ),
        "pagination": Pagination(),
        "counts": _Counts,
    },
)
_Step = {"i": s.IntegerField(), "text": s.CharField(), "ok": s.BooleanField(allow_null=True), "reason": s.CharField()}
_Diff = {
    "steps": inline_serializer(
        "StepPair",
        {
            "kind": s.ChoiceField(KINDS),
            "base": inline_serializer("BaseStep", _Step, allow_null=True),
            "other": inline_serializer("OtherStep", _Step, allow_null=True),
        },
        many=True,
    ),
    "first_difference": s.IntegerField(allow_null=True, help_text="Index of the first pair more than reworded."),
    "first_wrong": s.DictField(child=s.IntegerField(allow_null=True), help_text="Of base and other: the step's i."),
    "answer_changed": s.BooleanField(),
    "left_out": s.DictField(child=s.IntegerField(), help_text="Steps of base and other that were not compared."),
}
ComparedItem = inline_serializer(
    "ComparedItem",
    {
        **_Item,
        "base": Prediction(allow_null=True),
        "other": Prediction(allow_null=True),
        "diff": inline_serializer("StepDiff", _Diff, allow_null=True),
    },
)
