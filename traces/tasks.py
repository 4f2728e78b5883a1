"""Long work of this room."""

from traces.pipeline import ClearImport, FindTwins, ImportTraces
from traces.pipeline.scoring import ScoreTraces
from tunixrt.jobs.work import long_task

import_traces = long_task(ImportTraces)
clear_import = long_task(ClearImport)
find_twins = long_task(FindTwins)
score_traces = long_task(ScoreTraces)
