"""The recipe used where none is given."""

import numpy as np

from ..data.errors import InvalidInput
from ..data.pool import Pool
from ..data.probabilities import SUM_TOLERANCE
from ..strategies import Strategy
from ..strategies.balance import Balance
from ..strategies.coverage import Coverage
from ..strategies.random import Random
from ..strategies.uncertainty import Uncertainty
from .models import Recipe, Stage


def default_strategies(pool: Pool) -> list[Strategy]:
    """The default strategies for the columns of a pool.

    With embeddings and predictions: coverage weighted by margin. With embeddings alone: coverage. With
    predictions alone: margin. Balance is added where the predictions' classes are known, and has a say
    as far as the labeled classes are less even than by chance. With neither: random.

    Raises:
        InvalidInput: several columns could be the embeddings, or the predictions.
    """
    wide = [name for name, column in pool.columns.items() if getattr(column, "ndim", 0) > 1]
    predictions = _the(wide, "predictions", [n for n in wide if _predicts(pool, n)])
    embeddings = _the(
        wide, "embeddings", [n for n in wide if n != predictions and pool.columns[n].ndim == 2]
    )
    margin = None
    if predictions is not None:
        logits = not _rows_sum_to_one(pool, predictions)
        margin = Uncertainty(column=predictions, given="logits" if logits else "probabilities")
    return strategies_for(embeddings, margin, balanced=predictions in pool.classes)


def strategies_for(
    embeddings: str | None, margin: Uncertainty | None, *, balanced: bool
) -> list[Strategy]:
    """The default strategies for a column of embeddings and an uncertainty, each of which may be None.

    Args:
        embeddings: a column of vectors.
        margin: the uncertainty of the predictions.
        balanced: whether to add balance over the predictions.
    """
    chosen: list[Strategy] = []
    if embeddings is not None:
        chosen.append(Coverage(column=embeddings, weights=margin))
    elif margin is not None:
        chosen.append(margin)
    if margin is not None and balanced:
        chosen.append(Balance(column=margin.column, given=margin.given, beyond_chance=True))
    return chosen or [Random()]


def _the(wide: list[str], usual: str, found: list[str]) -> str | None:
    if usual in wide:
        return usual
    if len(found) > 1:
        raise InvalidInput(
            f"recipe: strategies are missing, and {', '.join(map(repr, found))} could all be the "
            f"{usual}; name the strategies, or call one of the columns {usual!r}"
        )
    return found[0] if found else None


def _predicts(pool: Pool, name: str) -> bool:
    return name in pool.classes or pool.columns[name].ndim == 3 or _rows_sum_to_one(pool, name)


def _rows_sum_to_one(pool: Pool, name: str) -> bool:
    here = np.flatnonzero(~pool.missing[name])[:1000]
    rows = pool.columns[name][..., here, :]
    return bool(len(here) and np.all(rows >= 0) and np.allclose(rows.sum(-1), 1, atol=SUM_TOLERANCE))


def completed_stages(recipe: Recipe, pool: Pool) -> list[Stage]:
    """The stages of a recipe, with the default strategies where it names none.

    Raises:
        InvalidInput: as ``default_strategies``.
    """
    stages = recipe.in_stages()
    if not any(stage.by_default for stage in stages):
        return stages
    usual = default_strategies(pool)
    return [one.model_copy(update={"strategies": usual}) if one.by_default else one for one in stages]
