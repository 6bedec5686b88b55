"""The operator select_by_similarity: it selects samples similar or dissimilar to examples."""

from __future__ import annotations

from typing import Any, ClassVar

import fiftyone.operators as foo
import fiftyone.operators.types as types
import numpy as np

from ..alcore import InvalidInput
from .dataset.fields import embedding_fields
from .dataset.tagged import tagged
from .forms import counts, embedding_inputs, pieces, selection_inputs
from .forms.target_input import described
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
    """Chooses samples near to, or far from, some examples in the space of embeddings.

    Options, besides those of ``SelectOperator``:
        embeddings: a field of vectors or a similarity run.
        examples: how the examples are given: "tag", "selected", "ids" or "prompt". By default, the
            option that is given decides.
        example_tag, example_ids, prompt: the examples: a tag, a list of ids, or a text.
        prefer: "like" (default) or "unlike".
        use: "weight" (default), or "filter" with a ``threshold``.
        threshold: the cosine similarity to the nearest example, from -1 to 1: the lowest allowed value
            with "like", the highest with "unlike"; default: 0.5.
        predictions: predictions by which uncertain samples are preferred.
        different: whether the chosen samples are also kept apart from each other.
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    label = "Active learning: select by similarity"
    about = (
        "Chooses samples like some examples, or unlike them, by embeddings. The examples themselves "
        "are not chosen."
    )
    description = "Choose what looks like examples, or unlike them: similarity, few-shot, text search"
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
        # The examples are not candidates, so a view of only the selected samples would be empty.
        described(inputs.view_target(ctx, allow_selected_samples=False, require_flat=True))
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
            about = "The samples with it are the examples"
            inputs.str(
                "example_tag",
                label="Tag of the examples",
                description=about,
                default="",
                required=False,
                view=view,
            )
        elif source == "ids":
            about = "Of the samples that are the examples"
            inputs.list(
                "example_ids",
                types.String(),
                label="Ids",
                description=about,
                default=[],
                required=False,
            )
        elif source == "prompt":
            about = "Such as: a torn label"
            inputs.str("prompt", label="Text", description=about, default="", required=False)
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
            # Without another strategy, coverage chooses among the samples that pass the threshold.
            "strategies": entries or [{"strategy": "coverage", "column": column}],
            "seed": params.get("seed", 0),
        }


def embed_prompt(dataset: Any, key: str, prompt: str) -> list[list[float]]:
    """Embed a text with the model of a similarity run.

    Args:
        dataset: the dataset.
        key: the brain key of the similarity run.
        prompt: the text.

    Returns:
        A list that holds one vector, (1, d).

    Raises:
        InvalidInput: if the model does not embed text, or if it cannot be loaded.
    """
    index = dataset.load_brain_results(key)
    if not index.supports_prompts:
        raise InvalidInput(_no_prompts(key))
    try:
        model = index.get_model()
        with model:
            vectors = np.asarray(model.embed_prompts([prompt]), dtype=np.float64)
    except Exception as error:  # the code of a model may raise anything
        raise InvalidInput(f"prompt: the model of {key!r} cannot embed it: {error}") from error
    found: list[list[float]] = vectors.reshape(1, -1).tolist()
    return found


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def _tags_shown(ctx: Any, view: str) -> list[str]:
    """Return the tags of samples, cached while a form is open. ``view`` is only part of the key."""
    return list(ctx.dataset.distinct("tags"))


def _no_prompts(key: str | None) -> str:
    return (
        f"prompt: {key!r} is no similarity run whose model reads text; choose such a run as the "
        "embeddings, made by compute_similarity with the name of a zoo model such as "
        "'clip-vit-base32-torch'"
    )


def _source_of(params: dict[str, Any]) -> str:
    """Return how the examples are given: as named by ``examples``, else by which option is given.

    Raises:
        InvalidInput: if ``examples`` is unknown.
    """
    if params.get("examples"):
        return _one_of(params, "examples", SOURCES)
    for name, source in (("prompt", "prompt"), ("example_ids", "ids")):
        if params.get(name):
            return source
    return "tag"


def _one_of(params: dict[str, Any], name: str, known: dict[str, str]) -> str:
    """Return the value of an option; default: the first known value.

    Raises:
        InvalidInput: if the value is unknown.
    """
    value = params.get(name) or next(iter(known))
    if not isinstance(value, str) or value not in known:
        raise InvalidInput(f"{name}: there is no {value!r}; choose one of {', '.join(known)}")
    return value


def _examples(dataset: Any, params: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """Return the ids of the examples (none for a text), and what the recipe compares samples with.

    The latter is a list of ids or of vectors. For a text that is not embedded yet, it holds the text.

    Raises:
        InvalidInput: if there are no examples, or if no model can embed the text.
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
