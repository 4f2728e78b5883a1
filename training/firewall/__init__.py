"""The contamination firewall: which rows give away what a model will be asked. Read `firewall.py` first."""

from training.firewall.asked import KINDS, Asked, Leak
from training.firewall.common import CommonGrams
from training.firewall.firewall import Firewall, find_leaks
from training.firewall.spans import spans

__all__ = ["KINDS", "Asked", "CommonGrams", "Firewall", "Leak", "find_leaks", "spans"]
