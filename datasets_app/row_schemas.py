"""What the API of a dataset's rows takes and gives, for its OpenAPI description."""

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers as s

from training.renderers import RECIPES
from training.sight import Kind
from training.splits import SPLITS
from tunixrt.lib.schemas import WINDOW_PARAMETERS, listing

ROW_FILTERS = [
    *WINDOW_PARAMETERS,
    OpenApiParameter("cursor", str, description="`next_cursor` of the window before; costs the same however deep."),
    OpenApiParameter("split", str, enum=list(SPLITS)),
    OpenApiParameter("gate", str, description="A gate that found something: the rows that it names."),
    OpenApiParameter("group", str, description="The rows that are kept together in one split."),
]
RUN_SETTINGS = [
    OpenApiParameter("recipe", str, enum=list(RECIPES), description="The dataset's when not given."),
    OpenApiParameter("max_length", int, description="Tokens a sequence; the dataset's when not given."),
    OpenApiParameter("vocab_size", int, description="Tokens to learn; a run's default when not given."),
]


class ListedRow(s.Serializer):
    position = s.IntegerField(help_text="From 0, in manifest order.")
    id = s.UUIDField(help_text="The trace's.")
    split = s.ChoiceField(SPLITS)
    prompt = s.CharField()
    final_answer = s.CharField()
    step_count = s.IntegerField()
    source = s.CharField()


class NamedBy(s.Serializer):
    gate = s.CharField()
    check = s.CharField()
    why = s.CharField()


class DatasetRow(s.Serializer):
    position = s.IntegerField()
    row = s.DictField(help_text="As in `dataset.jsonl`.")
    group = s.CharField(allow_null=True, help_text="None for a row that is alone in its group.")
    kept_with = s.ListField(child=s.IntegerField(), help_text="Positions of others of its group, the first ones.")
    has_more = s.BooleanField(help_text="Whether there are others of its group beside those.")
    gates = NamedBy(many=True)
    previous = s.IntegerField(allow_null=True)
    next = s.IntegerField(allow_null=True)


class Token(s.Serializer):
    id = s.IntegerField()
    kind = s.ChoiceField([kind.value for kind in Kind])
    text = s.CharField(help_text="What it adds to the text; of a character of several tokens the last has all.")
    bytes = s.CharField(help_text="In hexadecimal.")


class Fed(s.Serializer):
    token_count = s.IntegerField()
    tokens = Token(many=True)


class Parity(s.Serializer):
    tokens = s.BooleanField()
    bytes = s.BooleanField()


class Sight(s.Serializer):
    position = s.IntegerField()
    id = s.UUIDField()
    split = s.ChoiceField(SPLITS)
    recipe = s.CharField()
    instruction = s.CharField()
    max_length = s.IntegerField()
    vocab_size = s.IntegerField(help_text="As asked for; few rows may teach fewer.")
    token_count = s.IntegerField()
    counts = s.DictField(child=s.IntegerField(), help_text="Tokens that are trained, masked, cut; places of padding.")
    left_out = s.BooleanField(help_text="It does not fit: training refuses it or leaves it out, and cuts nothing.")
    tokens = Token(many=True, help_text="The first 4,000.")
    evaluation = Fed(help_text="What an examination feeds, the first 4,000 tokens of it.")
    parity = Parity(help_text="Whether training masks exactly what an examination feeds.")


DatasetRows = listing(ListedRow)
