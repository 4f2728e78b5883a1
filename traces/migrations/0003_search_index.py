"""The words of the traces that are there, and the indexes that Django has no words for."""

import json
from itertools import islice

from django.db import migrations

from traces import fulltext
from traces.words import words_of

CHUNK = 500


def fill_words(apps, editor):
    table = apps.get_model("traces", "Trace").objects
    rows = table.values_list("pk", "canonical").iterator(chunk_size=CHUNK)
    while chunk := list(islice(rows, CHUNK)):
        for pk, text in chunk:
            payload = json.loads(text)
            steps = (step["content"] for step in payload["steps"])
            table.filter(pk=pk).update(words=words_of((payload["prompt"], payload["final_answer"], *steps)))


class Migration(migrations.Migration):
    dependencies = [("traces", "0002_judging_search_twins")]
    operations = [
        migrations.RunPython(fill_words, migrations.RunPython.noop),
        migrations.RunPython(fulltext.install, fulltext.remove),
    ]
