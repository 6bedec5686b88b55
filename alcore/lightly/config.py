"""LightlyOne's selection configs (V4), as recipes."""

import math
import re
from typing import Any

from ..data.errors import InvalidInput
from ..data.json_text import parsed
from ..recipe import Recipe, Stop, entry_names

MEASURES = {
    "uncertainty_entropy": "entropy",
    "uncertainty_margin": "margin",
    "uncertainty_least_confidence": "least_confidence",
}
STRATEGIES = ("DIVERSITY", "TYPICALITY", "SIMILARITY", "WEIGHTS", "THRESHOLD", "BALANCE")
GLOBAL = {"n_samples", "proportion_samples", "strategies"}
INPUT = {"type", "key", "task", "score", "name", "categories", "dataset_id", "tag_name", "random_seed"}
OPTIONS = {
    "DIVERSITY": {"stopping_condition_minimum_distance"},
    "TYPICALITY": {"num_nearest_neighbors", "stopping_condition_minimum_typicality"},
    "SIMILARITY": set(),
    "WEIGHTS": {"stopping_condition_max_sum", "target_range"},
    "THRESHOLD": {"threshold", "operation"},
    "BALANCE": {"target", "distribution"},
}


def recipe_of(config: dict[str, Any] | str, queries: dict[str, list[Any]] | None = None) -> Recipe:
    """A recipe from a LightlyOne selection config (V4), which combines strategies as LightlyOne does.

    Columns: EMBEDDINGS is ``embeddings``, METADATA of key k is ``k``, SCORES and PREDICTIONS of
    task t are ``t``; ``Recipe.columns`` lists what uses each.

    Args:
        config: a dict or JSON, in snake_case or camelCase.
        queries: for SIMILARITY, by tag name: the ids or vectors of the samples with that tag.

    Raises:
        InvalidInput: the config is not valid, or has an option that cannot be converted.
    """
    config = parsed("lightly", config)
    if not isinstance(config, dict) or not isinstance(config.get("strategies"), list):
        raise InvalidInput("lightly: give a selection config: an object with strategies, a list")
    plain = _snake(config)
    _refuse_unknown(plain, GLOBAL, "lightly")
    recipe: dict[str, Any] = {"combine": "lightly", "strategies": [], "filters": []}
    for number, one in enumerate(plain["strategies"]):
        _take(one, f"lightly: strategies[{number}]", recipe, queries or {})
    if not recipe["strategies"]:
        recipe["strategies"] = [{"strategy": "random"}]  # thresholds alone: any samples that pass
    _name(recipe["strategies"])
    stops = [one.pop("stop", None) for one in recipe["strategies"]]
    found = Recipe.of(recipe | {"budget": _budget(plain)})
    names = entry_names(found.strategies or [])
    stop = {name: Stop(**one) for name, one in zip(names, stops, strict=True) if one}
    return found.model_copy(update={"stop": stop})


def _take(one: Any, at: str, recipe: dict[str, Any], queries: dict[str, list[Any]]) -> None:
    """Add a strategy's entry, or its filter, to the recipe."""
    if not isinstance(one, dict) or not {"input", "strategy"} <= set(one):
        raise InvalidInput(f"{at}: needs input and strategy")
    given, how = one["input"], one["strategy"]
    _refuse_unknown(given, INPUT, f"{at}.input")
    if not isinstance(how, dict):
        raise InvalidInput(f"{at}.strategy: must be an object, got {how!r}")
    kind = how.get("type")
    if kind not in STRATEGIES:
        raise InvalidInput(f"{at}: unknown strategy {kind!r}; there are {', '.join(STRATEGIES)}")
    _refuse_unknown(how, {"type", "strength"} | OPTIONS[kind], f"{at}.strategy")
    strength = {"strength": how["strength"]} if how.get("strength") is not None else {}
    if given.get("random_seed") is not None:
        recipe["seed"] = given["random_seed"]
    if kind == "THRESHOLD":
        recipe["filters"].append(_filter(given, how, at))
    elif kind == "WEIGHTS":
        recipe["strategies"].append(_weight(given, how, at) | strength)
    elif kind == "BALANCE":
        recipe["strategies"].append(_balance(given, how, at) | strength)
    else:
        recipe["strategies"].append(_by_embeddings(given, how, at, queries) | strength)


def _by_embeddings(
    given: dict[str, Any], how: dict[str, Any], at: str, queries: dict[str, list[Any]]
) -> dict[str, Any]:
    if given.get("type") != "EMBEDDINGS":
        raise InvalidInput(f"{at}: {how['type']} takes EMBEDDINGS, not {given.get('type')!r}")
    column = given.get("task") or "embeddings"
    if how["type"] == "DIVERSITY":
        distance = how.get("stopping_condition_minimum_distance")
        entry = {"strategy": "diversity", "column": column}
        return entry | ({"minimum_distance": distance} if distance else {})
    if how["type"] == "TYPICALITY":
        entry = {"strategy": "typicality", "column": column}
        neighbors = how.get("num_nearest_neighbors")
        least = how.get("stopping_condition_minimum_typicality")
        entry |= {"neighbors": neighbors} if neighbors else {}
        return entry | ({"stop": {"minimum": least}} if least is not None else {})
    tag = given.get("tag_name")
    if tag not in queries:
        raise InvalidInput(
            f"{at}: SIMILARITY to the samples tagged {tag!r}: give queries={{{tag!r}: [...]}}, their "
            "ids or vectors"
        )
    return {"strategy": "similarity", "column": column, "to": queries[tag]}


def _weight(given: dict[str, Any], how: dict[str, Any], at: str) -> dict[str, Any]:
    most = how.get("stopping_condition_max_sum")
    wanted = how.get("target_range") or {}
    if wanted.get("min_sum"):
        raise InvalidInput(f"{at}: target_range with min_sum cannot be taken over; leave it out")
    most = most if wanted.get("max_sum") is None else wanted["max_sum"]
    bound = {} if most is None else {"stop": {"max_sum": most}}
    if given.get("type") == "RANDOM":
        if bound:
            raise InvalidInput(f"{at}: RANDOM has no sum to stop at")
        return {"strategy": "random"}
    column = _column(given, at)
    measure = MEASURES.get(given.get("score") or "")
    if given["type"] == "SCORES" and measure:
        if bound:
            raise InvalidInput(f"{at}: max_sum of SCORES cannot be taken over; leave it out")
        return {"strategy": "uncertainty", "column": column, "measure": measure}
    return {"strategy": "weight", "column": column, **_categories(given, at), **bound}


def _filter(given: dict[str, Any], how: dict[str, Any], at: str) -> dict[str, Any]:
    limit, operation = how.get("threshold"), how.get("operation")
    if not isinstance(limit, int | float):
        raise InvalidInput(f"{at}: threshold: {limit!r} is no number")
    bounds = {
        "SMALLER": {"max": math.nextafter(limit, -math.inf)},
        "SMALLER_EQUAL": {"max": limit},
        "BIGGER": {"min": math.nextafter(limit, math.inf)},
        "BIGGER_EQUAL": {"min": limit},
    }
    if operation not in bounds:
        raise InvalidInput(f"{at}: operation: there is no {operation!r}; use {', '.join(bounds)}")
    return {"column": _column(given, at), **bounds[operation], **_categories(given, at)}


def _balance(given: dict[str, Any], how: dict[str, Any], at: str) -> dict[str, Any]:
    if given.get("type") not in ("METADATA", "PREDICTIONS"):
        raise InvalidInput(f"{at}: BALANCE takes METADATA or PREDICTIONS, not {given.get('type')!r}")
    if given["type"] == "PREDICTIONS" and given.get("name") not in (None, "CLASS_DISTRIBUTION"):
        raise InvalidInput(f"{at}: BALANCE takes the CLASS_DISTRIBUTION of PREDICTIONS")
    distribution = how.get("distribution") or "TARGET"
    targets = {"UNIFORM": "uniform", "INPUT": "input", "TARGET": how.get("target")}
    if targets.get(distribution) is None:
        raise InvalidInput(
            f"{at}: distribution: {distribution!r} needs to be UNIFORM, INPUT, or TARGET with a target"
        )
    return {"strategy": "balance", "column": _column(given, at), "target": targets[distribution]}


def _column(given: dict[str, Any], at: str) -> str:
    """METADATA of key k is the column k, SCORES and PREDICTIONS of task t the column t."""
    kind = given.get("type")
    names = {"METADATA": "key", "SCORES": "task", "PREDICTIONS": "task"}
    if kind not in names:
        known = ", ".join(["EMBEDDINGS", *names, "RANDOM"])
        raise InvalidInput(f"{at}: input of type {kind!r} does not fit; there are {known}")
    column = given.get(names[kind])
    if not isinstance(column, str) or not column:
        raise InvalidInput(f"{at}: input of type {kind} needs a {names[kind]}")
    return column


def _categories(given: dict[str, Any], at: str) -> dict[str, Any]:
    if given.get("type") != "PREDICTIONS":
        return {}
    if given.get("name") not in (None, "CATEGORY_COUNT"):
        raise InvalidInput(f"{at}: takes the CATEGORY_COUNT of PREDICTIONS, not {given['name']!r}")
    return {"classes": given["categories"]} if given.get("categories") else {}


def _budget(config: dict[str, Any]) -> int | float:
    count, share = config.get("n_samples"), config.get("proportion_samples")
    if count is None and share is None:
        raise InvalidInput("lightly: needs n_samples or proportion_samples")
    if count is None or count == -1:
        return 1.0 if share is None else share
    return count


def _name(strategies: list[dict[str, Any]]) -> None:
    """Give distinct names to entries that would have the same one."""
    kinds = [(entry["strategy"], entry.get("column")) for entry in strategies]
    for number, (entry, kind) in enumerate(zip(strategies, kinds, strict=True), start=1):
        if kinds.count(kind) > 1:
            entry["name"] = f"{entry['strategy']} {number}"


def _refuse_unknown(given: Any, known: set[str], at: str) -> None:
    if not isinstance(given, dict):
        raise InvalidInput(f"{at}: must be an object, got {given!r}")
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidInput(f"{at}: unknown option {unknown[0]!r}; it takes {', '.join(sorted(known))}")


# Options whose keys are named by users, and stay unchanged.
_NAMED_BY_USERS = {"target"}


def _snake(value: Any) -> Any:
    """camelCase keys as snake_case."""
    if isinstance(value, list):
        return [_snake(one) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {
        re.sub(r"(?<!^)([A-Z])", lambda m: "_" + m[1].lower(), key): one for key, one in value.items()
    }
    return {key: one if key in _NAMED_BY_USERS else _snake(one) for key, one in plain.items()}
