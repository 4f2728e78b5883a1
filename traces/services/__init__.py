"""What can be done with traces. Pages, API, admin and commands call these, and nothing else changes a trace."""

from traces.services.curation import Comparison, Side, compare, delete_trace
from traces.services.imports import (
    INLINE_BYTES,
    MAX_FILE_NAME,
    cancel_import,
    import_file,
    import_upload,
    sha256_of,
)
from traces.services.intake import BATCH_ROWS, store_stable_traces, store_traces
from traces.services.scoring import score_trace, score_traces

__all__ = [
    "BATCH_ROWS",
    "INLINE_BYTES",
    "MAX_FILE_NAME",
    "Comparison",
    "Side",
    "cancel_import",
    "compare",
    "delete_trace",
    "import_file",
    "import_upload",
    "score_trace",
    "score_traces",
    "sha256_of",
    "store_stable_traces",
    "store_traces",
]
