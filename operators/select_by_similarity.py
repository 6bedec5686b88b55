"""select_by_similarity: samples like some examples, or unlike them."""

from __future__ import annotations

from typing import Any, ClassVar

import fiftyone.operators as foo
import fiftyone.operators.types as types
import numpy as np

from ..alcore import InvalidInput
from .dataset.fields import embedding_fields
from .dataset.tagged import tagged
from .forms import counts, embedding_inputs, pieces, selection_inputs
from .select_base import SelectOperator

SOURCES = {
    "tag": "the samples, or objects, with a tag",
    "selected": "what is selected in the App now",
    "ids": "given by their ids",
    "prompt": "what a text says, for a similarity run whose model reads text (such as CLIP)",
}
PREFER = {
    "like": "the nearest to any of the examples come first",
    "unlike": "the farthest from all of them come first",
}
USES = {
    "weight": "the more alike, the better, beside what else is asked for",
    "filter": "only those beyond a threshold; what else is asked for chooses among them",
}


class SelectBySimilarity(SelectOperator):
    """Chooses samples near to, or far from, some examples."""

    label = "Active learning: select by similarity"
    about = (
        "Chooses samples like some examples, or unlike them, by embeddings. The examples themselves "
        "are not chosen."
    )
    options = (
        "embeddings",
        "examples",
        "example_tag",
        "example_ids",
        "prompt",
        "prefer",
        "use",
        "threshold",
        "predictions",
        "different",
        "budget",
    )
    fields: ClassVar = {"embeddings": embedding_fields}

    def form_options(self, ctx: Any) -> dict[str, Any]:
        params = super().form_options(ctx)
        if params.get("examples") == "selected" and not params.get("example_ids"):
            labels = [one["label_id"] for one in ctx.selected_labels or []]
            params["example_ids"] = labels if params.get("objects") else list(ctx.selected or [])
        return params

    def prepare(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        if _source_of(params) != "prompt":
            return params
        return {**params, "vectors": embed_prompt(dataset, params["embeddings"], params["prompt"])}

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        # Among the selected samples alone there would be none left to choose.
        inputs.view_target(ctx, allow_selected_samples=False, require_flat=True)
        pieces.budget_input(inputs)
        embedding_inputs.embeddings_input(ctx, inputs)
        source = ctx.params.get("examples") or ("selected" if ctx.selected else "tag")
        pieces.choice_input(
            inputs, "examples", "Examples", SOURCES, "selected" if ctx.selected else "tag"
        )
        if source == "tag":
            view = types.AutocompleteView()
            for tag in _tags_shown(ctx, counts.view_key(ctx)):
                view.add_choice(tag, label=tag)
            inputs.str("example_tag", label="Tag of the examples", required=False, view=view)
        elif source == "ids":
            inputs.list("example_ids", types.String(), label="Ids", required=False)
        elif source == "prompt":
            inputs.str("prompt", label="Text", description="Such as: a torn label", required=False)
        pieces.choice_input(inputs, "prefer", "Prefer", PREFER, "like")
        pieces.choice_input(inputs, "use", "Use", USES, "weight")
        if ctx.params.get("use") == "filter":
            inputs.float(
                "threshold",
                label="Threshold",
                description="Cosine similarity, from -1 to 1, to the nearest example: at least this, "
                "or at most where unlike is preferred. What counts as alike depends on the network",
                default=0.5,
                min=-1,
                max=1,
            )
        embedding_inputs.company_inputs(ctx, inputs)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        column = params.get("embeddings")
        ids, to = _examples(dataset, params)
        unlike = _one_of(params, "prefer", PREFER) == "unlike"
        filters: list[dict[str, Any]] = [{"column": "id", "not_in": ids}] if ids else []
        entries: list[dict[str, Any]] = []
        if _one_of(params, "use", USES) == "filter":
            threshold = 0.5 if params.get("threshold") is None else params["threshold"]
            filters.append({"column": column, "similar_to": to, "max" if unlike else "min": threshold})
        else:
            strength = -1 if unlike else 1
            entries.append({"strategy": "similarity", "column": column, "to": to, "strength": strength})
        entries += embedding_inputs.company_of(params, "cosine")
        return {
            "budget": selection_inputs.budget_of(params),
            "filters": filters,
            # With nothing else asked for, those beyond the threshold are covered.
            "strategies": entries or [{"strategy": "coverage", "column": column}],
            "seed": params.get("seed", 0),
        }


def embed_prompt(dataset: Any, key: str, prompt: str) -> list[list[float]]:
    """The vector of a text, by the model of a similarity run.

    Raises:
        InvalidInput: the model embeds no text, or cannot be loaded.
    """
    index = dataset.load_brain_results(key)
    if not index.supports_prompts:
        raise InvalidInput(_no_prompts(key))
    try:
        model = index.get_model()
        with model:
            vectors = np.asarray(model.embed_prompts([prompt]), dtype=np.float64)
    except Exception as error:  # whatever a model's own code raises
        raise InvalidInput(f"prompt: the model of {key!r} cannot embed it: {error}") from error
    found: list[list[float]] = vectors.reshape(1, -1).tolist()
    return found


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def _tags_shown(ctx: Any, view: str) -> list[str]:
    """The tags, looked up once for a form. ``view`` is part of the key of the cache alone."""
    return list(ctx.dataset.distinct("tags"))


def _no_prompts(key: str | None) -> str:
    return (
        f"prompt: {key!r} is no similarity run whose model reads text; choose such a run as the "
        "embeddings, made by compute_similarity with the name of a zoo model such as "
        "'clip-vit-base32-torch'"
    )


def _source_of(params: dict[str, Any]) -> str:
    """What the examples are: as said, or by the options that are given."""
    if params.get("examples"):
        return _one_of(params, "examples", SOURCES)
    for name, source in (("prompt", "prompt"), ("example_ids", "ids")):
        if params.get(name):
            return source
    return "tag"


def _one_of(params: dict[str, Any], name: str, known: dict[str, str]) -> str:
    """What an option says, the first that there is where it says nothing."""
    value = params.get(name) or next(iter(known))
    if value not in known:
        raise InvalidInput(f"{name}: there is no {value!r}; choose one of {', '.join(known)}")
    return str(value)


def _examples(dataset: Any, params: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The ids of the examples, if they have any, and what a recipe compares with.

    Raises:
        InvalidInput: there are none, or no model to read the text.
    """
    source, key = _source_of(params), params.get("embeddings")
    if source == "prompt":
        prompt = params.get("prompt")
        if not prompt:
            raise InvalidInput("prompt: say in a few words what the samples should look like")
        if key not in dataset.list_brain_runs(type="similarity") or not (
            dataset.get_brain_info(key).config.supports_prompts
        ):
            raise InvalidInput(_no_prompts(key))
        return [], params.get("vectors") or [prompt]
    if source == "tag":
        ids = tagged(dataset, params.get("example_tag"), params.get("objects"))
    else:
        ids = list(params.get("example_ids") or [])
    if not ids:
        missing = {
            "ids": "example_ids: give the ids of one or more samples",
            "selected": "examples: select one or more samples in the App, or give example_ids",
        }
        raise InvalidInput(missing[source])
    return ids, ids
