"""What every measure favors and when it misleads: the words that forms, fields and the panel show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """A measure in plain words: a line each."""

    favors: str
    misleads: str

    @property
    def line(self) -> str:
        return f"{self.favors}; {self.misleads}"


SINGLE = {
    "margin": Words(
        "the best two classes are close: a good first choice",
        "near-duplicates on one border are all chosen",
    ),
    "entropy": Words(
        "the probability is spread over many classes",
        "with many classes their tails decide; outliers score high",
    ),
    "least_confidence": Words(
        "the best class is not sure", "says nothing of how near the second is; outliers score high"
    ),
    "ratio": Words(
        "the second best class is nearly as likely as the best",
        "near-duplicates on one border are all chosen",
    ),
}
STORED = Words("the map's own numbers are high", "is only as good as what made the map")
COSTS = {
    "risk": Words(
        "even the best decision may be dear", "a wrong probability of a dear class costs most"
    ),
    "cost_margin": Words(
        "the best two decisions cost about the same", "cheap decisions that are close score as high"
    ),
}
MEMBERS = {
    "bald": Words(
        "members are sure of different classes: more data would settle it",
        "copies of one such sample are all chosen",
    ),
    "max_disagreement": Words("one member differs much from the others", "a single bad member decides"),
    "kl_to_consensus": Words(
        "members differ from their mean; the same number as bald",
        "copies of one such sample are all chosen",
    ),
    "vote_entropy": Words(
        "members vote for different classes", "blind to how sure they are; few members make many ties"
    ),
    "variation_ratio": Words(
        "few members vote for the winner", "blind to how sure they are; few members make many ties"
    ),
    "consensus_entropy": Words(
        "the members' mean is uncertain, for whatever reason",
        "noisy samples that no label makes clear score high",
    ),
    "predictive_entropy": Words(
        "the members' mean is uncertain, for whatever reason",
        "noisy samples that no label makes clear score high",
    ),
    "expected_entropy": Words(
        "every member is uncertain: noise rather than ignorance",
        "use it to find unclear images, not to learn",
    ),
    "mean_std": Words(
        "members' probabilities scatter", "with many classes small scatter in all of them adds up"
    ),
}
OTHERS = {
    "variance": Words("predicted numbers scatter", "large numbers scatter more than small ones"),
    "detection": Words(
        "models see other boxes, classes or places",
        "crowded images and a weak model's junk boxes disagree most",
    ),
    "predicted_loss": Words(
        "the model's loss is expected to be large", "worth only what its held-out correlation says"
    ),
    "batch_bald": Words(
        "samples that together tell most about the right member; does not repeat itself",
        "slow; of few members noise after some picks, which its report tells",
    ),
}
OVER_OBJECTS = {
    "max": Words("the hardest object decides", "so does one junk box"),
    "mean": Words("the average object is hard", "one hard object among many easy ones is lost"),
    "sum": Words("many hard objects", "crowded images, which also cost most to label"),
    "top_k": Words("the hardest few objects", "needs as many objects"),
    "count_normalized": Words(
        "hard objects, the more the better, to a degree", "still leans to crowded images"
    ),
}
OVER_PIXELS = {
    "mean": Words("the average pixel is hard", "large easy background hides small objects"),
    "quantile": Words("the hardest pixels are hard", "outlines alone may decide"),
    "top_share": Words("the hardest share of the pixels is hard", "outlines alone may decide"),
    "share_above": Words("many pixels are hard", "needs a threshold that fits the model"),
    "boundary": Words("borders between classes are unclear", "blind to whole areas that are wrong"),
}
BATCHES = {
    "top": Words("the best by score", "near-duplicates are chosen together"),
    "power": Words(
        "drawn by score: spreads the choice at no cost; a good choice for batches",
        "some samples of little score come in",
    ),
    "softmax": Words("drawn by exp(score)", "with scores from 0 to 1 it is nearly chance"),
    "softrank": Words("drawn by rank", "blind to how far the scores are apart"),
    "batch_bald": OTHERS["batch_bald"],
}
DIVERSE = {
    "coverage": Words(
        "each stands for many others: the better choice with few labels", "rare cases come last"
    ),
    "probcover": Words("each covers a ball around it, for few labels", "all depends on the radius"),
    "diversity": Words(
        "the farthest from all chosen so far (k-center)",
        "goes for outliers: with few labels it can do worse than a random choice",
    ),
    "determinantal": Words(
        "the most different from each other, all taken together", "leans to outliers; for small budgets"
    ),
    "k_means": Words(
        "the sample nearest the middle of each cluster", "a cluster of few counts like one of many"
    ),
    "k_medoids": Words(
        "the sample of each cluster with all of it near", "slower; outliers get few, which may be right"
    ),
    "badge": Words(
        "uncertain and different at once, by the gradients of the model's last layer",
        "drawn, so that another seed chooses others; needs the features that layer takes",
    ),
}
REPRESENTATIVE = {
    "typiclust": Words(
        "the most typical sample of each cluster: needs no label and no model",
        "chooses by a rule of its own, so that nothing combines with it",
    ),
    "coverage": Words(
        "each stands for many others (facility location): needs no label and no model",
        "rare cases come last",
    ),
    "typicality": Words(
        "in dense surroundings: the common case", "near-duplicates are the most typical"
    ),
    "outliers": Words("far from all others: the edge case", "broken and mislabeled images come first"),
    "representative_informative": Words(
        "keeps the labeled like the pool, and uncertain, by the predictions alone",
        "a weak model's predictions say little of the pool",
    ),
}
BALANCED = {
    "balance": Words(
        "of the classes that are furthest behind the target", "within a class all count the same"
    ),
    "class_balanced": Words(
        "uncertain or different, and balanced by the predictions, all at once (CBAL)",
        "a weak model takes samples of one class for another's",
    ),
    "minority": Words(
        "what the model takes for one of the classes with fewest labels",
        "nothing of a class that the model never predicts",
    ),
}
VARIANTS = {
    "certain": Words("those the model is surest of: finds more of a rare class", "easy samples"),
    "uncertain": Words("those it is least sure of: finds a rare class's border", "many are of others"),
}
SIMILARITY = Words("like some examples, or unlike them", "alone it picks near-duplicates")
EMPTY = {
    "median": "as an image of middling uncertainty",
    "least": "last: nothing there to label",
    "most": "first: a missed object is the worst error",
}


def told(words: dict[str, Words]) -> dict[str, str]:
    """Each option with its line, as radio buttons show it."""
    return {name: one.line for name, one in words.items()}
