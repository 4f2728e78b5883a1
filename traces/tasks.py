"""Long work of this room."""

from traces.pipeline import ImportTraces
from tunixrt.jobs.work import long_task

import_traces = long_task(ImportTraces)
