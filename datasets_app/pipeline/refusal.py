"""Why a dataset was not frozen."""

from datasets_app.models import Dataset
from training.errors import Fault
from tunixrt.lib.errors import Conflict, Refused, Rule


def refused(dataset: Dataset) -> Refused:
    """The error that says which gates refuse the rows, or, if none does, how else the build ended."""
    if not dataset.refusing:
        return Conflict(dataset.error or f"{dataset} is {dataset.status}", code="build_failed")
    faults = [
        Fault(("gates", gate["gate"]), f"{gate['count']:,} rows break it: {gate['check']}", "gate_refused")
        for gate in dataset.refusing
    ]
    names = ", ".join(gate["gate"] for gate in dataset.refusing)
    return Rule(
        f"{dataset} was not frozen: refused by {names}. Mend or leave out the rows, or have the gate warn.",
        code="gate_refused",
        faults=faults,
    )
