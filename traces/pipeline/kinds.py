"""The kinds of long work of this room, by name: some of them ask for another."""

from uuid import UUID

IMPORT_TRACES = "import_traces"
CLEAR_IMPORT = "clear_import"
FIND_TWINS = "find_twins"

LIBRARY = UUID("c0a9b7de-51f3-5b0e-8a64-2f1d7c3e9b05")  # the target of work on all traces
