"""What full-text search and filters by meta need beside the columns that Django makes: statements for migrations.

SQLite loses triggers whenever a migration alters the table of traces (it copies the table): such a migration ends
with `RunPython(fulltext.install)` again. The tests of the search fail when one forgets.
"""

import sqlite3

# New words wait in a list until it is full, and are sorted into the index together: twice as fast for an import. A
# search reads the list too, which at 16 MB takes some ten milliseconds. lz4 packs rows in a fraction of the time that
# pglz takes, and words are packed where they are rather than stored apart.
POSTGRESQL = """
CREATE INDEX IF NOT EXISTS trace_by_words ON traces_trace USING gin (words) WITH (gin_pending_list_limit = 16384);
CREATE INDEX IF NOT EXISTS trace_by_meta ON traces_trace USING gin (meta jsonb_path_ops);
DO $$ BEGIN
    ALTER TABLE traces_trace ALTER canonical SET COMPRESSION lz4, ALTER words SET COMPRESSION lz4,
        ALTER prompt SET COMPRESSION lz4, ALTER meta SET COMPRESSION lz4, ALTER words SET STORAGE MAIN;
EXCEPTION WHEN feature_not_supported THEN NULL; -- a server that was built without lz4
END $$;
"""

# FTS5 needs whole numbers that no VACUUM changes, and traces have uuids: `traces_numbered` joins the two.
SQLITE = """
DROP TRIGGER IF EXISTS traces_search_insert;
DROP TRIGGER IF EXISTS traces_search_delete;
DROP TABLE IF EXISTS traces_search;
DROP TABLE IF EXISTS traces_numbered;
CREATE TABLE traces_numbered (number integer PRIMARY KEY, trace_id char(32) NOT NULL UNIQUE);
CREATE VIRTUAL TABLE traces_search USING fts5 (
    words, content = '', columnsize = 0, detail = none, tokenize = "ascii tokenchars '_'"
);
INSERT INTO traces_numbered (trace_id) SELECT id FROM traces_trace;
INSERT INTO traces_search (rowid, words)
    SELECT number, words FROM traces_numbered JOIN traces_trace ON traces_trace.id = trace_id;
CREATE TRIGGER traces_search_insert AFTER INSERT ON traces_trace BEGIN
    INSERT INTO traces_numbered (trace_id) VALUES (new.id);
    INSERT INTO traces_search (rowid, words) SELECT number, new.words FROM traces_numbered WHERE trace_id = new.id;
END;
CREATE TRIGGER traces_search_delete AFTER DELETE ON traces_trace BEGIN
    INSERT INTO traces_search (traces_search, rowid, words)
        SELECT 'delete', number, old.words FROM traces_numbered WHERE trace_id = old.id;
    DELETE FROM traces_numbered WHERE trace_id = old.id;
END;
"""


def install(apps, editor) -> None:
    """Makes indexes and triggers anew and indexes what is there."""
    if editor.connection.vendor == "postgresql":
        editor.execute(POSTGRESQL)
        return
    statement = ""
    for line in SQLITE.strip().splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            editor.execute(statement)
            statement = ""


def remove(apps, editor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP INDEX trace_by_words; DROP INDEX trace_by_meta")
        return
    for line in SQLITE.strip().splitlines()[:4]:
        editor.execute(line)
