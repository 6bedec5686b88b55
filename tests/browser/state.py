"""What a selection may change in a dataset."""

from __future__ import annotations

from typing import Any


def state(dataset: Any) -> dict[str, Any]:
    """Everything a selection may write, as it stands in the database now."""
    dataset.reload()
    return {
        "tags": dataset.count_sample_tags(),
        "saved_views": dataset.list_saved_views(),
        "runs": dataset.list_runs(),
        "fields": sorted(dataset.get_field_schema(flat=True)),
    }


def recipe_of(dataset: Any, run_key: str) -> dict[str, Any]:
    """The recipe that a run says it applied."""
    dataset.reload()
    return dataset.get_run_info(run_key).config.serialize()["recipe"]
