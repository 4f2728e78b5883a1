"""The form that launches a run, for the page and for the admin."""

import json
from collections.abc import Container
from typing import Any
from uuid import uuid4

from django import forms

from datasets_app.models import Dataset, EvalSet
from runs import services
from runs.models import Run
from training.canonical import canonical_json, sha256_hex
from training.config import CONFIGS, MAX_SEED, named_config
from training.engines import ENGINES, JAX
from training.errors import Fault, Invalid
from training.plan import RunPlan
from training.strict_json import parse_json
from tunixrt.jobs.services import once
from tunixrt.lib.errors import Refused

PREFERRED = "tiny"
ENGINE_HELP = "jax is tunixrt's own; tunix is Google Tunix's PeftTrainer, with more model families."
# Choosing another config shows it at once; without script a button does it.
RELOAD = {
    "hx-post": "",
    "hx-vals": '{"action": "load"}',
    "hx-select": "#id_config",
    "hx-target": "#id_config",
    "hx-swap": "outerHTML",
}


def config_text(name: str) -> str:
    """A config of the package as a person edits it: without what is left to others."""
    return _edited(named_config(name).to_dict())


def initial_of(run: Run) -> dict[str, Any]:
    """What the form of a clone begins with: all that `run` was."""
    config = run.config | {"training": run.config["training"] | {"seed": None}}  # the form has a field for it
    same = {"engine": run.engine, "seed": run.seed, "name": run.name, "evalset": run.evalset_id, "parent": run.pk}
    text = _edited(config)
    named = next((name for name in CONFIGS if config_text(name) == text), PREFERRED)
    return same | {"dataset": run.dataset.key, "config": text, "config_name": named}


def _edited(sections: dict[str, dict]) -> str:
    kept = {
        section: {field: value for field, value in fields.items() if value is not None}
        for section, fields in sections.items()
    }
    return json.dumps({section: fields for section, fields in kept.items() if fields}, indent=2)


class EngineSelect(forms.Select):
    """The engines, those that are `absent` disabled."""

    absent: Container[str] = ()

    def create_option(self, name: str, value: Any, *args: Any, **options: Any) -> dict[str, Any]:
        option = super().create_option(name, value, *args, **options)
        option["attrs"] |= {"disabled": True} if value in self.absent else {}
        return option


class LaunchForm(forms.Form):
    """What `launch_run` takes. What the service refuses stands at its field after `launch` or `plan`."""

    dataset = forms.ModelChoiceField(
        Dataset.objects.frozen().newest_first(), to_field_name="key", empty_label="Choose a frozen dataset"
    )
    config_name = forms.ChoiceField(
        choices=[(name, name) for name in CONFIGS],
        label="Start from the config",
        widget=forms.Select(attrs=RELOAD),
    )
    config = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false"}),
        help_text="What the run will do, as JSON. Every field can be changed here; what is left out takes its default.",
    )
    engine = forms.ChoiceField(choices=[(name, name) for name in ENGINES], required=False, widget=EngineSelect)
    seed = forms.IntegerField(
        required=False, min_value=0, max_value=MAX_SEED, help_text="Drawn and recorded when left empty."
    )
    name = forms.CharField(required=False, max_length=services.MAX_NAME, help_text="How lists will call it.")
    evalset = forms.ModelChoiceField(
        EvalSet.objects.all(),
        required=False,
        label="Examine on",
        empty_label="The dataset's test split, else its valid split",
    )
    parent = forms.ModelChoiceField(Run.objects.all(), required=False, widget=forms.HiddenInput)
    nonce = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, data: Any = None, **options: Any):
        preferred = PREFERRED if PREFERRED in CONFIGS else CONFIGS[0]
        initial = {"config_name": preferred, "config": config_text(preferred), "engine": JAX, "nonce": uuid4().hex}
        super().__init__(data, initial=initial | options.pop("initial", {}), **options)
        absent = services.absent_engines()  # asks an interpreter: once a form
        self.fields["engine"].widget.absent = absent
        self.fields["engine"].help_text = " ".join([ENGINE_HELP, *(f"{reason}." for reason in absent.values())])

    def with_named_config(self) -> "LaunchForm":
        """The same form, its config replaced by the one that is named."""
        name = self.data.get("config_name")
        text = config_text(name) if name in CONFIGS else self.data.get("config", "")
        return LaunchForm(initial={**self.data.dict(), "config": text})

    def plan(self) -> RunPlan | None:
        """The sizes of the run, or None with the reasons at their fields."""
        return self._ask(lambda: services.plan_run(**self._request("dataset_key", "config", "engine", "seed")))

    def launch(self, by) -> Run | None:
        """The run, or None with the reasons at their fields. The same form sent twice launches once."""

        def start() -> Run:
            request = self._request("dataset_key", "config", "engine", "seed", "name", "evalset", "parent")
            asked = request | {name: str(request[name] and request[name].pk) for name in ("evalset", "parent")}
            key = f"form {self.cleaned_data['nonce']} {sha256_hex(canonical_json(asked))}"
            target, _ = once(user=by, key=key, request=asked, create=lambda: services.launch_run(**request, by=by).pk)
            return Run.objects.get(pk=target)

        return self._ask(start)

    def _request(self, *names: str) -> dict[str, Any]:
        given = self.cleaned_data
        everything = given | {
            "dataset_key": given["dataset"].key,
            "config": self._config(),
            "engine": given["engine"] or JAX,
        }
        return {name: everything[name] for name in names}

    def _config(self) -> Any:
        """The config as it was edited. A text that nobody edited follows the name, however late that was changed."""
        text = self.cleaned_data["config"].replace("\r\n", "\n").strip()
        untouched = text in map(config_text, CONFIGS)
        return parse_json(config_text(self.cleaned_data["config_name"]) if untouched else text)

    def _ask(self, question):
        if not self.is_valid():
            return None
        try:
            return question()
        except Invalid as invalid:
            for fault in invalid.faults:
                self.add_error(self._field(fault), str(fault))
        except Refused as refused:
            self.add_error(None, refused.detail)
        return None

    def _field(self, fault: Fault) -> str | None:
        """The field that a fault belongs to; a config that is not JSON has no place of its own."""
        first = {"dataset_key": "dataset"}.get(str(fault.loc[0]), str(fault.loc[0])) if fault.loc else "config"
        return first if first in self.fields else None
