"""Which rows are taught, which are held out, and in which order they are drawn: by hash, never by chance."""

from hashlib import sha256

from training.canonical import sha256_hex
from training.problems import PROBLEMS
from training.unicode import nfkc

SPLITS = ("train", "valid", "test")
TENTHS = ("train",) * 8 + ("valid", "test")
SPLIT_RULE = (
    "SHA-256 of the row's group modulo 10: 0-7 train, 8 valid, 9 test; "
    "the group is the problem's own key where it has one, else the normalised prompt of the row's oldest near-twin"
)


def group_of(payload: dict) -> str:
    """What rows must share to be twins: twins always land in the same split."""
    name = (payload.get("meta") or {}).get("problem")
    problem = PROBLEMS.get(name) if isinstance(name, str) else None
    key = problem.group(payload["prompt"]) if problem else None
    return f"{name}:{key}" if key else f"prompt:{normalise(payload['prompt'])}"


def split_of(group: str) -> str:
    """The split of a group, as SPLIT_RULE says."""
    return TENTHS[int(sha256_hex(group), 16) % 10]


def order_key(seed: int, content_sha256: str) -> bytes:
    """Rows in order of this key are a random sample that stays put when other rows are added."""
    return sha256(f"{seed}|{content_sha256}".encode()).digest()


def normalise(prompt: str) -> str:
    """`prompt` without what makes no difference to its meaning: case, spacing, Unicode's several spellings."""
    if prompt.isascii() and prompt.isprintable() and "  " not in prompt:
        return prompt.strip(" ").lower()  # the same, in a third of the time
    return " ".join(nfkc(prompt).casefold().split())
