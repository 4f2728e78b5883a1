"""How long a trace is."""

from django.db import migrations, models

from traces import fulltext

STEPS = {
    "postgresql": "SELECT sum(char_length(step ->> 'content')) FROM jsonb_array_elements(canonical::jsonb -> 'steps') step",
    "sqlite": "SELECT sum(length(value ->> 'content')) FROM json_each(canonical, '$.steps')",
}


def fill_length(apps, editor):
    count = "char_length" if editor.connection.vendor == "postgresql" else "length"
    steps = STEPS[editor.connection.vendor]
    total = f"{count}(prompt) + {count}(final_answer) + ({steps})"
    editor.execute(f"UPDATE traces_trace SET character_count = {total}", None)


class Migration(migrations.Migration):
    dependencies = [("traces", "0003_search_index")]
    operations = [
        migrations.RunPython(migrations.RunPython.noop, fulltext.install),
        migrations.AddField(
            "trace",
            "character_count",
            models.PositiveIntegerField(default=0, help_text="Code points of prompt, steps and final answer together."),
            preserve_default=False,
        ),
        migrations.RunPython(fulltext.install, migrations.RunPython.noop),
        migrations.RunPython(fill_length, migrations.RunPython.noop),
    ]
