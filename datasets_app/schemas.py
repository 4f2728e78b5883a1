"""What the API of this room takes and gives, for its OpenAPI description."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers as s

from datasets_app.build_request import STRATEGIES
from datasets_app.exports import EXPORTS
from datasets_app.models import Dataset as DatasetRow
from datasets_app.models import EvalSet
from training.renderers import RECIPES
from training.splits import SPLITS
from tunixrt.lib.schemas import listing

IDEMPOTENCY_KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)
SPLIT = OpenApiParameter("split", str, enum=list(SPLITS), description="All splits when not given.")
EXPORT = [OpenApiParameter("format", str, enum=list(EXPORTS), default="trace"), SPLIT]


class BuildRequest(s.Serializer):
    dataset_name = s.CharField()
    dataset_version = s.CharField(help_text="No hyphen: the last hyphen splits the key.")
    filters = s.DictField(required=False, help_text="source, q, min_score, created_after, tag; other names are meta's.")
    limit = s.IntegerField(required=False, help_text="1 to 1,000,000; 100 by default, everything with `all`.")
    selection_strategy = s.ChoiceField(STRATEGIES, default="latest")
    seed = s.IntegerField(required=False, help_text="Drawn and recorded when not given.")
    strict = s.BooleanField(default=False, help_text="Makes a missing seed an error for `random`.")
    recipe = s.ChoiceField(list(RECIPES), required=False)
    instruction = s.CharField(required=False)
    session_id = s.CharField(required=False)
    parent_dataset_id = s.UUIDField(required=False)
    training_run_id = s.UUIDField(required=False)
    provenance = s.DictField(required=False)


class Built(s.Serializer):
    dataset_key = s.CharField()
    build_id = s.UUIDField()
    trace_count = s.IntegerField()
    manifest_path = s.CharField(help_text="Relative to TUNIXRT_HOME.")
    status = s.ChoiceField(DatasetRow.Status.choices)


class Dataset(Built):
    splits = s.DictField()
    selection_strategy = s.CharField()
    seed = s.IntegerField()
    recipe = s.CharField()
    instruction = s.CharField()
    max_length = s.IntegerField(help_text="Tokens a sequence that the gates reckon with.")
    leak_count = s.IntegerField(help_text="Train rows that are known from where it is asked.")
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


Datasets = listing(Dataset)
Evalsets = listing(Evalset)


class EvalsetDetail(Evalset):
    items = listing(Item)
