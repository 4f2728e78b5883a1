"""What the API of this room takes and gives, for its OpenAPI description."""

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer
from rest_framework import serializers as s

from datasets_app.build_request import DEFAULT_LENGTH, STRATEGIES
from datasets_app.exports import EXPORTS
from datasets_app.gates import ACTIONS
from datasets_app.models import Dataset as DatasetRow
from datasets_app.models import EvalSet
from training.evalset_checks import LABELS
from training.problems import PROBLEMS
from training.renderers import RECIPES
from training.splits import SPLITS
from tunixrt.lib.schemas import listing

IDEMPOTENCY_KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)
SPLIT = OpenApiParameter("split", str, enum=list(SPLITS), description="All splits when not given.")
ITEM_FILTERS = [
    *(OpenApiParameter(name, str) for name in LABELS),
    OpenApiParameter("q", str, description="Words in the id, the prompt or the expected answer."),
]
EVALSET_SIDES = [OpenApiParameter(name, str, required=True) for name in ("base", "other")]
EXPORT = [OpenApiParameter("format", str, enum=list(EXPORTS), default="trace"), SPLIT]


class MixPart(s.Serializer):
    name = s.CharField(required=False)
    weight = s.FloatField(help_text="Above 0. Parts give rows in proportion to their weights.")
    filters = s.DictField(required=False)
    dataset_key = s.CharField(required=False, help_text="A frozen dataset's traces, instead of `filters`.")


class BuildRequest(s.Serializer):
    dataset_name = s.CharField()
    dataset_version = s.CharField(help_text="No hyphen: the last hyphen splits the key.")
    filters = s.DictField(required=False, help_text="As of `GET /api/traces`; other names are those of meta.")
    selection_strategy = s.ChoiceField(STRATEGIES, default="latest")
    stratify_by = s.CharField(required=False, help_text="`source`, `steps`, `meta.NAME` or NAME.")
    quotas = s.JSONField(required=False, help_text="`proportional` (default), `equal`, or {value: rows}.")
    mix = s.ListField(child=MixPart(), required=False, help_text="2 to 20 parts, instead of `filters`.")
    limit = s.IntegerField(required=False, help_text="1 to 1,000,000; 100 by default, everything with `all`.")
    seed = s.IntegerField(required=False, help_text="Drawn and recorded when not given.")
    strict = s.BooleanField(default=False, help_text="Makes a missing seed an error where it decides what is taken.")
    recipe = s.ChoiceField(list(RECIPES), required=False)
    instruction = s.CharField(required=False, help_text="The recipe's own by default; may be empty.")
    max_length = s.IntegerField(default=DEFAULT_LENGTH, help_text="8 to 32768 tokens a sequence; gates reckon with it.")
    gates = s.DictField(child=s.ChoiceField(ACTIONS), required=False, help_text="What each gate does with findings.")
    session_id = s.CharField(required=False)
    parent_dataset_id = s.UUIDField(required=False)
    training_run_id = s.UUIDField(required=False)
    provenance = s.DictField(required=False)
    dry_run = s.BooleanField(default=False, help_text="Answers what would be taken, and stores nothing.")


class Built(s.Serializer):
    dataset_key = s.CharField()
    build_id = s.UUIDField()
    trace_count = s.IntegerField()
    manifest_path = s.CharField(help_text="Relative to TUNIXRT_HOME.")
    status = s.ChoiceField(DatasetRow.Status.choices)


class Share(s.Serializer):
    value = s.CharField(help_text="Of a stratum, or the name of a part.")
    rows = s.IntegerField(help_text="Traces that match.")
    asked = s.IntegerField()
    taken = s.IntegerField()


class Bin(s.Serializer):
    low = s.IntegerField()
    high = s.IntegerField()
    rows = s.IntegerField()


class BuildPreview(s.Serializer):
    count = s.IntegerField(help_text="Traces that match, counted up to 50,000.")
    is_more = s.BooleanField(help_text="There are more than `count`.")
    taken = s.IntegerField()
    shares = Share(many=True)
    is_drawn = s.BooleanField(help_text="False where it takes long: the sample is of what matches.")
    sampled = s.IntegerField(help_text="Rows that the following is of.")
    examples = s.ListField(child=s.DictField())
    characters = Bin(many=True)
    steps = Bin(many=True)
    category = s.CharField(help_text="What `categories` are: `source`, the field of the strata, `part`.")
    categories = s.DictField(child=s.IntegerField())
    gates = s.ListField(child=s.DictField())


BuiltOrPreview = PolymorphicProxySerializer("BuiltOrPreview", [Built, BuildPreview], resource_type_field_name=None)


class Dataset(Built):
    splits = s.DictField()
    selection_strategy = s.CharField()
    seed = s.IntegerField()
    recipe = s.CharField()
    instruction = s.CharField()
    max_length = s.IntegerField(help_text="Tokens a sequence that the gates reckon with.")
    leak_count = s.IntegerField(help_text="Train rows that are known from where it is asked.")
    found = s.DictField(child=s.IntegerField(), help_text="Rows by the gate that found something.")
    content_sha256 = s.CharField()
    error = s.CharField()
    created_at = s.DateTimeField()


class DatasetDetail(Dataset):
    request = s.DictField(help_text="What was asked for, every default spelled out.")
    stats = s.DictField()
    gates = s.ListField(child=s.DictField())


class Evalset(s.Serializer):
    id = s.UUIDField()
    name = s.CharField()
    sha256 = s.CharField()
    origin = s.ChoiceField(EvalSet.Origin.choices)
    dataset_key = s.CharField(allow_null=True)
    split = s.CharField()
    item_count = s.IntegerField()
    created_at = s.DateTimeField()


class Item(s.Serializer):
    id = s.CharField()
    prompt = s.CharField()
    expected_answer = s.CharField()
    category = s.CharField()
    difficulty = s.CharField()
    section = s.CharField(required=False)


class EvalsetRequest(s.Serializer):
    dataset_key = s.CharField(required=False, help_text="With `split`: the rows of a dataset as questions.")
    split = s.ChoiceField(SPLITS, required=False)
    name = s.CharField(required=False, help_text="With `items`; alone, an evalset that comes with the program.")
    items = Item(many=True, required=False)
    problem = s.ChoiceField(list(PROBLEMS), required=False, help_text="Generated questions that no dataset teaches.")
    count = s.IntegerField(required=False, help_text="With `problem`: 1 to 1,000, 100 by default.")
    seed = s.IntegerField(required=False, help_text="Drawn when not given; the items' ids tell it.")
    difficulty = s.IntegerField(required=False, help_text="The problem's own by default.")


Datasets = listing(Dataset)
Evalsets = listing(Evalset)


class EvalsetDetail(Evalset):
    labels = s.DictField(child=s.DictField(child=s.IntegerField()), help_text="Items by section, category, difficulty.")
    items = listing(Item)


class ItemDifference(s.Serializer):
    id = s.CharField()
    fields = s.ListField(child=s.CharField())  # type: ignore[assignment]


class EvalsetComparison(s.Serializer):
    base = Evalset()
    other = Evalset()
    counts = s.DictField(child=s.IntegerField(), help_text="`added`, `removed`, `changed`, `kept`.")
    added = s.ListField(child=s.CharField(), help_text="Ids, the first 1,000.")
    removed = s.ListField(child=s.CharField())
    changed = ItemDifference(many=True)
