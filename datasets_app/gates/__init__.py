"""The gates that rows pass before they are frozen, in the order people read them."""

from collections.abc import Mapping

from django.conf import settings

from datasets_app.gates.gate import ACTIONS, REFUSE, WARN, Finding, Gate, Row, Taught
from datasets_app.gates.steps import EmptySteps
from datasets_app.gates.tokens import AnswerFits, PromptParity, StopToken, TrainedTokens

__all__ = [
    "ACTIONS",
    "CONTAMINATION",
    "GATES",
    "NAMES",
    "REFUSE",
    "WARN",
    "Finding",
    "Gate",
    "Row",
    "Taught",
    "action_of",
    "open_gates",
]

GATES: dict[str, type[Gate]] = {
    gate.name: gate for gate in (TrainedTokens, AnswerFits, StopToken, PromptParity, EmptySteps)
}
CONTAMINATION = "contamination"  # what the firewall finds is recorded as a gate's result is
NAMES = (*GATES, CONTAMINATION)


def open_gates(taught: Taught) -> list[Gate]:
    """All gates, for one build."""
    return [gate(taught) for gate in GATES.values()]


def action_of(name: str, asked: Mapping[str, str]) -> str:
    """What a gate does with what it finds: as the request asks, else as DATASET_REFUSES says, else as the gate does."""
    usual = GATES[name].action if name in GATES else WARN
    return asked.get(name) or (REFUSE if name in settings.DATASET_REFUSES else usual)
