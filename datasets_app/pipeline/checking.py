"""The last passes of a build: figures, gates, and what train rows give away."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets_app.gates import CONTAMINATION, Taught, action_of, open_gates
from datasets_app.models import Dataset
from datasets_app.pipeline.gathering import Gathered
from datasets_app.pipeline.leaks import leaks_of
from datasets_app.pipeline.progress import Progress
from datasets_app.rows import read_chunks, read_lines
from datasets_app.surveys import ContentSurvey, TokenSurvey
from datasets_app.tokenizers import kept_tokenizer
from training.config import TokenizerConfig
from training.firewall import CommonGrams


@dataclass(frozen=True)
class Checked:
    """What is known of the rows of a dataset once all have been looked at."""

    splits: dict[str, Any]
    stats: dict[str, Any]
    gates: list[dict[str, Any]]
    leak_count: int

    def columns(self) -> dict[str, Any]:
        """As the dataset keeps it."""
        return {"splits": self.splits, "stats": self.stats, "gates": self.gates, "leak_count": self.leak_count}


def check_rows(dataset: Dataset, path: Path, gathered: Gathered, progress: Progress) -> Checked:
    """Passes the rows in the file `path`, which have their splits, through every gate and by the firewall."""
    common = CommonGrams(len(gathered))
    # What gates remember is let go of before the firewall needs the room.
    splits, stats, gates = _pass_gates(dataset, path, common, len(gathered), progress)
    leaks = leaks_of(dataset, path, splits["train"], common, progress)
    action = action_of(CONTAMINATION, dataset.request.get("gates") or {})
    return Checked(
        splits=splits,
        stats=stats | gathered.stats(),
        gates=[*gates, leaks.result(action, checked=splits["train"])],
        leak_count=leaks.row_count,
    )


def _pass_gates(
    dataset: Dataset, path: Path, common: CommonGrams, count: int, progress: Progress
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Splits, figures and the gates' results; what train rows have in common is counted on the way."""
    progress.begin("learning a tokenizer", count)
    taught = taught_by(dataset, path)
    content, tokens, gates = ContentSurvey(), TokenSurvey(taught), open_gates(taught)
    progress.begin("passing the gates", count)
    done = 0
    for rows in read_chunks(path):
        content.add(rows)
        tokens.add(rows)
        common.add([row for row in rows if row["split"] == "train"])
        for gate in gates:
            gate.look(rows)
        done += len(rows)
        progress.tell(done)
    counted = {name: figure for gate in gates for name, figure in gate.stats().items()}
    stats = {"bytes": path.stat().st_size} | content.stats() | counted | {"tokens": tokens.stats()}
    asked = dataset.request.get("gates") or {}
    return content.splits(), stats, [gate.result(action_of(gate.name, asked)) for gate in gates]


def taught_by(dataset: Dataset, path: Path) -> Taught:
    """How the rows would be taught by a run that changes nothing of what the dataset says."""
    tokenizer = kept_tokenizer(
        dataset.content_sha256,
        read_lines(path),
        instruction=dataset.instruction,
        vocab_size=TokenizerConfig().vocab_size,
    )
    return Taught(dataset.recipe, dataset.instruction, dataset.max_length, tokenizer)
