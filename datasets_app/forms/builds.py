"""The form of a build. It turns what was typed into the body that the API would take; the rules are the services'."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django import forms

from datasets_app import services
from datasets_app.build_request import DEFAULT_LENGTH, DEFAULT_LIMIT, STRATEGIES, STRATIFIED
from datasets_app.forms.spelling import number_of, read_address, read_parts, read_quotas
from datasets_app.gates import ACTIONS, GATES, NAMES, action_of
from datasets_app.mix import PARTS
from datasets_app.models import Dataset
from traces.filters import read_filters
from training.errors import Fault, Invalid
from training.json_rules import Loc
from training.renderers import RECIPES
from training.request_fields import within
from tunixrt.lib.errors import Refused

FILTERS = ("source", "q", "min_score")
MIX = "mix"  # a strategy to people; to a request it is a field of its own
STRATEGY_LABELS = {
    "latest": "the newest",
    "random": "a random sample",
    "all": "all, oldest first",
    STRATIFIED: "a share of each stratum",
    MIX: "a mix of several selections",
}
RULES = {name: GATES[name].rule if name in GATES else "no train row gives away what is asked" for name in NAMES}
PARTS_SHOWN = 3
SAME = ("dataset_name", "dataset_version", "limit", "seed", "recipe", "max_length", "parent_dataset_id")
T = TypeVar("T")


class BuildForm(forms.Form):
    dataset_name = forms.CharField(label="Name", help_text="Letters, digits, '_', '.' and '-'.")
    dataset_version = forms.CharField(
        label="Version", initial="1", help_text="No hyphen. A frozen version never changes: make the next one."
    )
    source = forms.CharField(label="Source is", required=False, help_text="As traces have it in meta.source.")
    q = forms.CharField(label="Words", required=False, help_text="Every word occurs, the last perhaps only begun.")
    min_score = forms.CharField(label="Score at least", required=False, help_text="The baseline score, 0 to 100.")
    filters = forms.CharField(
        label="Further filters",
        required=False,
        help_text="As the address of the page of traces has them: tag=checked&wrong.arithmetic=false",
    )
    selection_strategy = forms.ChoiceField(
        label="Take", choices=[(name, STRATEGY_LABELS[name]) for name in (*STRATEGIES, MIX)], initial="latest"
    )
    stratify_by = forms.CharField(label="Strata by", required=False, help_text="source, steps, or a key of meta.")
    quotas = forms.CharField(
        label="Rows of each",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "easy = 300\nhard = 100"}),
        help_text="In proportion when left empty; the word equal; or a line for each value, as shown.",
    )
    limit = forms.CharField(
        label="At most",
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text=f"When left empty {DEFAULT_LIMIT}; with 'all' everything; with rows of each stratum their sum.",
    )
    seed = forms.CharField(
        label="Seed",
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="Decides what is drawn. Drawn itself, and recorded, when left empty.",
    )
    recipe = forms.ChoiceField(
        label="What the model learns to write",
        choices=[(recipe.name, f"{recipe.about} ({recipe.name})") for recipe in RECIPES.values()],
    )
    instruction = forms.CharField(
        label="Instruction before each prompt",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The recipe's own when left empty. The same for training and examination.",
    )
    no_instruction = forms.BooleanField(label="No instruction at all", required=False)
    max_length = forms.CharField(
        label="Tokens a sequence",
        required=False,
        initial=DEFAULT_LENGTH,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="What runs on it will be given as max_length; the gates reckon with it.",
    )
    parent_dataset_id = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, *, initial: Mapping[str, Any], more_parts: int = 0):
        """`more_parts` makes room in a mix for so many more parts than are shown."""
        super().__init__(data, initial=initial)
        self.parts = min(_parts_in(initial if data is None else data) + more_parts, PARTS[-1])
        for row in range(self.parts):
            self.fields[f"mix_{row}_traces"] = forms.CharField(label="Traces", required=False)
            self.fields[f"mix_{row}_weight"] = forms.CharField(label="Weight", required=False)
        for name in NAMES:
            choices = [("", f"as usual: {action_of(name, {})}"), *((action, action) for action in ACTIONS)]
            self.fields[f"gate_{name}"] = forms.ChoiceField(label=RULES[name], required=False, choices=choices)
        for name, field in self.fields.items():  # faults also come while a person types: see _faults.html
            described = f"id_{name}_helptext id_{name}_faults" if field.help_text else f"id_{name}_faults"
            field.widget.attrs["aria-describedby"] = described

    @property
    def gates(self) -> list[forms.BoundField]:
        return [self[f"gate_{name}"] for name in NAMES]

    @property
    def asks_of_gates(self) -> bool:
        return any(field.value() or field.errors for field in self.gates)

    @property
    def mix_rows(self) -> list[list[forms.BoundField]]:
        return [[self[f"mix_{row}_{part}"] for part in ("traces", "weight")] for row in range(self.parts)]

    def build(self, by) -> Dataset | None:
        """The dataset, or None with what is wrong written into the form."""
        return self._ask(lambda request: services.build_dataset(request=request, by=by)[0])

    def preview(self) -> services.Preview | None:
        """What it would take, whatever its name will be; or None with what is wrong written into the form."""
        for name in ("dataset_name", "dataset_version"):
            self.fields[name].required = False
        unnamed = {"dataset_name": "preview", "dataset_version": "1"}
        return self._ask(lambda request: services.preview_build(request=unnamed | request))

    def request(self) -> dict[str, Any]:
        """The body that the API would take for the same build. Raises Invalid."""
        data = self.cleaned_data
        strategy = data["selection_strategy"]
        asked = {name: data[name] for name in SAME if data[name]}
        asked |= {name: number_of(asked[name]) for name in ("limit", "seed", "max_length") if name in asked}
        asked["gates"] = {name: data[f"gate_{name}"] for name in NAMES if data[f"gate_{name}"]}
        if data["instruction"] or data["no_instruction"]:
            asked["instruction"] = "" if data["no_instruction"] else data["instruction"].replace("\r\n", "\n")
        if strategy == MIX:
            return asked | {"mix": read_parts(self._parts().values())}
        asked |= {"selection_strategy": strategy, "filters": asked_filters(data)}
        if strategy == STRATIFIED:
            asked["stratify_by"] = data["stratify_by"]
            asked |= {"quotas": read_quotas(data["quotas"])} if data["quotas"] else {}
        return asked

    def _ask(self, service: Callable[[dict[str, Any]], T]) -> T | None:
        """What the service answers, or None with what is wrong written into the form."""
        if not self.is_valid():
            return None
        try:
            return service(self.request())
        except Invalid as invalid:
            self._add(invalid.faults)
        except Refused as refused:
            self.add_error(None, refused.detail)
            self._add(refused.faults)
        return None

    def _parts(self) -> dict[int, tuple[str, str]]:
        """The rows of the mix that are filled in: traces and weight."""
        data = self.cleaned_data
        rows = {row: (data[f"mix_{row}_traces"], data[f"mix_{row}_weight"]) for row in range(self.parts)}
        return {row: typed for row, typed in rows.items() if any(typed)}

    def _add(self, faults: list[Fault]) -> None:
        for fault in faults:
            field = self._field_of(fault.loc)
            inner = ".".join(map(str, fault.loc[1:])) if field in ("quotas", "filters") else ""
            self.add_error(field, f"{inner} {fault.msg}".strip() if field else str(fault))  # type: ignore[arg-type]

    def _field_of(self, loc: Loc) -> str | None:
        """The field that holds what a fault is about."""
        match loc:
            case ("filters", str(name), *_) if name in FILTERS:
                return name
            case ("gates", str(name), *_):
                return f"gate_{name}"
            case ("mix", int(place), *rest):
                row = list(self._parts())[place]
                return f"mix_{row}_weight" if rest[:1] == ["weight"] else f"mix_{row}_traces"
            case ("mix",):
                return "mix_0_traces"
            case (str(name), *_) if name in self.fields and not self[name].is_hidden:
                return name
        return None


def _parts_in(typed: Mapping[str, Any]) -> int:
    """How many rows of a mix are shown: all up to the last that is filled in."""
    names = (re.fullmatch(r"mix_([0-9]{1,2})_(?:traces|weight)", name) for name, value in typed.items() if value)
    return max([PARTS_SHOWN, *(int(found[1]) + 1 for found in names if found)])


def asked_filters(given: Mapping[str, str]) -> dict[str, Any]:
    """The filters of a form, those that are spelled as an address included. Raises Invalid."""
    try:
        further = read_address(given["filters"])
        return read_filters(further | {name: given[name] for name in FILTERS if given[name]})
    except Invalid as invalid:
        raise Invalid(within(invalid, "filters"))
