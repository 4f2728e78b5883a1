"""What can be done with traces. Pages, API, admin and commands call these, and nothing else changes a trace."""

from traces.services.curation import (
    Comparison,
    Side,
    compare,
    delete_trace,
    export_traces,
    tag_traces,
    untag_traces,
)
from traces.services.imports import (
    INLINE_BYTES,
    MAX_FILE_NAME,
    cancel_import,
    import_file,
    import_upload,
    sha256_of,
)
from traces.services.intake import BATCH_ROWS, store_stable_traces, store_traces
from traces.services.review_queue import (
    Disagreement,
    ReviewSheet,
    disagreements,
    disputed_steps,
    finished_count,
    has_finished,
    review_queue,
    review_sheet,
)
from traces.services.reviews import latest_review, numbers_of, review_step, take_back_review, undo_review
from traces.services.scoring import score_trace, score_traces
from traces.services.selection import Count, Selection, count_up_to, two_of

__all__ = [
    "BATCH_ROWS",
    "INLINE_BYTES",
    "MAX_FILE_NAME",
    "Comparison",
    "Count",
    "Disagreement",
    "ReviewSheet",
    "Selection",
    "Side",
    "cancel_import",
    "compare",
    "count_up_to",
    "delete_trace",
    "disagreements",
    "disputed_steps",
    "export_traces",
    "finished_count",
    "has_finished",
    "import_file",
    "import_upload",
    "latest_review",
    "numbers_of",
    "review_queue",
    "review_sheet",
    "review_step",
    "score_trace",
    "score_traces",
    "sha256_of",
    "store_stable_traces",
    "store_traces",
    "tag_traces",
    "take_back_review",
    "two_of",
    "undo_review",
    "untag_traces",
]
