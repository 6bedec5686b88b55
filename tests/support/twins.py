"""Brute-force twins of the engine: plain greedy in float64 numpy, every value anew at every pick."""

import numpy as np

TIE = 2e-9  # the engine's ties: values equal to 30 binary places
ROUNDING = 1e-12  # what is below it is but the rounding of 0
ZERO = 1e-14  # a gain of coverage that is but the rounding of 0


def probabilities(P, temperature=1.0):
    P = P / P.sum(1, keepdims=True)
    if temperature != 1:
        P = P ** (1 / temperature)
        P = P / P.sum(1, keepdims=True)
    return P


def uncertainty(P, measure):
    best = np.sort(P, axis=1)[:, ::-1]
    classes = P.shape[1]
    if measure == "margin":
        return 1 - (best[:, 0] - best[:, 1])
    if measure == "least_confidence":
        return (1 - best[:, 0]) * classes / (classes - 1)
    if measure == "ratio":
        return best[:, 1] / best[:, 0]
    logs = np.log(P, where=P > 0, out=np.zeros_like(P))
    return 0.0 - (P * logs).sum(1) / np.log(classes)  # 0, not -0, whose reciprocal is -inf


def entropies(P):
    logs = np.log(P, where=P > 0, out=np.zeros_like(P))
    return 0.0 - (P * logs).sum(-1)


def no_rounding(differences):
    return np.where(differences < ROUNDING, 0, differences)


def disagreement(M, measure):
    """(N,) of members (T, N, C) whose rows sum to 1."""
    mean = M.mean(0)
    if measure == "bald":
        return no_rounding(entropies(mean) - entropies(M).mean(0))
    if measure in ("consensus_entropy", "predictive_entropy"):
        return entropies(mean)
    if measure == "expected_entropy":
        return entropies(M).mean(0)
    if measure == "mean_std":
        return np.sqrt(((M - mean) ** 2).mean(0)).mean(-1)
    if measure in ("vote_entropy", "variation_ratio"):
        votes = np.eye(M.shape[2])[M.argmax(-1)].mean(0)
        return entropies(votes) if measure == "vote_entropy" else 1 - votes.max(-1)
    ratio = np.divide(M, mean, where=M > 0, out=np.ones_like(M))
    divergences = no_rounding((M * np.log(ratio)).sum(-1))
    return divergences.max(0) if measure == "max_disagreement" else divergences.mean(0)


def expected_cost(P, cost, measure="risk"):
    costs = np.sort(P @ cost, axis=1)
    if measure == "risk":
        return costs[:, 0]
    span = np.ptp(cost, axis=1).max()
    return no_rounding((span - (costs[:, 1] - costs[:, 0])) / (span or 1)) * span


def joint_information(P, rows):
    """Mutual information of the rows' labels and the member, over every outcome; P is (T, N, C)."""
    T, _, C = P.shape
    joint = 0.0
    for outcome in np.ndindex(*[C] * len(rows)):
        p = np.mean(
            [np.prod([P[t, i, c] for i, c in zip(rows, outcome, strict=True)]) for t in range(T)]
        )
        joint -= p * np.log(p) if p > 0 else 0
    return joint - sum(entropies(P[:, i]).mean() for i in rows)


class BatchBald:
    def __init__(self, P):
        self.P = P

    def values(self, candidates, labeled, chosen):
        before = joint_information(self.P, chosen)
        after = np.array([joint_information(self.P, [*chosen, c]) for c in candidates])
        return np.maximum(after - before, 0)


def distances(A, B, metric):
    if metric == "cosine":
        A = A / np.linalg.norm(A, axis=1, keepdims=True)
        B = B / np.linalg.norm(B, axis=1, keepdims=True)
    squared = ((A[:, None] - B[None]) ** 2).sum(-1)
    return squared / 2 if metric == "cosine" else np.sqrt(squared)


class Diversity:
    def __init__(self, X, metric="euclidean", minimum=None):
        self.X, self.metric, self.minimum = X, metric, minimum

    def values(self, candidates, labeled, chosen):
        centers = list(labeled) + list(chosen)
        if centers:
            return distances(self.X[candidates], self.X[centers], self.metric).min(1)
        if self.metric == "cosine":
            units = self.X / np.linalg.norm(self.X, axis=1, keepdims=True)
            mean = units.mean(0)
            d = 1 - units[candidates] @ (mean / max(np.linalg.norm(mean), 1e-12))
            d = np.maximum(d, 0)
        else:
            d = np.linalg.norm(self.X[candidates] - self.X.mean(0), axis=1)
        d = np.where(d < ROUNDING, 0, d)
        return 1 / (1 + d / (d.mean() or 1))


class Coverage:
    def __init__(self, X, kernel="gaussian", width=1.0, weights=None, metric="cosine"):
        units = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
        squared = ((units[:, None] - units[None]) ** 2).sum(-1)
        gaussian = np.exp(-squared / width**2)
        self.kernels = {
            "gaussian": [gaussian],
            "cosine": [np.maximum(1 - squared / 2, 0)],
            "ball": [(squared < width**2).astype(float), gaussian],
        }[kernel]
        self.weights = np.ones(len(X)) if weights is None else weights

    def values(self, candidates, labeled, chosen):
        return self.gains(
            self.kernels[self.turn(candidates, labeled, chosen)], candidates, labeled, chosen
        )

    def turn(self, candidates, labeled, chosen):
        """Which kernel it goes by: the next where by one nobody has a gain."""
        left = np.setdiff1d(candidates, chosen)
        spent = len(self.kernels) > 1 and not self.gains(self.kernels[0], left, labeled, chosen).any()
        return int(spent)

    def gains(self, K, candidates, labeled, chosen):
        free = np.setdiff1d(np.arange(len(K)), labeled)
        w = self.weights[free]
        w = np.ones(len(free)) if w.sum() == 0 else w
        K = K[free]
        centers = list(labeled) + list(chosen)
        best = K[:, centers].max(1) if centers else np.zeros(len(free))
        more = np.maximum(K[:, candidates] - best[:, None], 0)
        gains = (more * (w / w.sum())[:, None]).sum(0)
        return np.where(gains < ZERO, 0, gains)


def typicality(X, neighbors=20):
    apart = np.sqrt(((X[:, None] - X[None]) ** 2).sum(-1))
    np.fill_diagonal(apart, np.inf)
    k = min(neighbors, len(X) - 1)
    if k < 1:
        return np.ones(len(X))
    mean = np.sort(apart, axis=1)[:, :k].mean(1)
    usual = np.median(mean) or mean.max()
    return 1 / np.maximum(mean, 1e-5 * usual) if usual > 0 else np.ones(len(X))


def similarity(X, examples):
    units, others = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (X, examples))
    return (1 + np.clip((units @ others.T).max(1), -1, 1)) / 2


class Determinantal:
    def __init__(self, X, kernel="gaussian", width=1.0):
        units = X / np.linalg.norm(X, axis=1, keepdims=True)
        squared = ((units[:, None] - units[None]) ** 2).sum(-1)
        self.K = np.exp(-squared / width**2) if kernel == "gaussian" else 1 - squared / 2

    def values(self, candidates, labeled, chosen):
        given = list(labeled) + list(chosen)
        inverse = np.linalg.pinv(self.K[np.ix_(given, given)], rcond=1e-10, hermitian=True)
        across = self.K[np.ix_(given, candidates)]
        left = np.diag(self.K)[candidates] - (across * (inverse @ across)).sum(0)
        return np.where(left < 1e-10, 0, left)


class Representative:
    """By the formula, with the whole kernel matrix."""

    def __init__(self, P, labeled, picks, gamma=1.0, beta=1.0, scaling="published"):
        self.K = np.exp(-gamma * ((P[:, None] - P[None]) ** 2).sum(-1))
        free = np.setdiff1d(np.arange(len(P)), labeled)
        n, n_l, n_u = len(P), len(labeled), len(free)
        known, others = (n_l + picks) / (2 * n), (n_u - picks) / (2 * n)
        if scaling == "mean_discrepancy":
            known, others = (n_u - picks) / n, (n_l + picks) / n
        M2, M3 = known * self.K[:, labeled].sum(1), others * self.K[:, free].sum(1)
        sure = 1 - uncertainty(P, "margin")
        if n_l:
            sure = sure * np.exp(((P[:, None] - P[labeled][None]) ** 2).sum(-1).min(1))
        self.fixed, self.free = M3 - M2 - beta * sure, free

    def values(self, candidates, labeled, chosen):
        highest, lowest = self.fixed[self.free].max(), self.fixed[self.free].min()
        now = self.fixed[candidates] - self.K[np.ix_(candidates, chosen)].sum(1)
        return np.exp((now - highest) / ((highest - lowest) or 1.0))


class Balance:
    def __init__(self, P, target, beyond_chance=False):
        self.P, self.target, self.beyond_chance = P, target, beyond_chance

    def values(self, candidates, labeled, chosen):
        known = self.P[list(labeled)].sum(0)
        if self.beyond_chance and len(labeled):
            wanted = known.sum() * self.target
            aimed = self.target > 0
            seen = ((known - wanted)[aimed] ** 2 / wanted[aimed]).sum()
            kept = max(0.0, 1 - (aimed.sum() - 1) / seen) if seen > 0 else 0.0
            known[aimed] = wanted[aimed] + kept * (known - wanted)[aimed]
        counts = known + self.P[list(chosen)].sum(0)
        return self.P[candidates] @ (self.target / (counts + 0.5))


class Fixed:
    def __init__(self, values, scale=1.0):
        self.fixed, self.scale = values, scale

    def values(self, candidates, labeled, chosen):
        return self.fixed[candidates]


def totals(terms, strengths, candidates, labeled, chosen, combine="product"):
    """Before each pick: the candidates left and their combined values, -inf where refused.

    Whoever iterates appends the pick to ``chosen``. Terms are the classes above.
    """
    labeled = list(labeled)
    scales, turns = [None] * len(terms), [0] * len(terms)
    while len(chosen) < len(candidates):
        left = np.array([c for c in candidates if c not in chosen])
        total = np.ones(len(left)) if combine == "product" else np.zeros(len(left))
        refused = np.zeros(len(left), dtype=bool)
        for k, (term, strength) in enumerate(zip(terms, strengths, strict=True)):
            if strength == 0:
                continue
            values = term.values(left, labeled, chosen)
            centers = labeled or chosen
            if getattr(term, "minimum", None) is not None and centers:
                refused |= values < term.minimum
            if combine == "product" and strength > 0:
                with np.errstate(all="ignore"):
                    total = total * values**strength
            else:
                cold = isinstance(term, Diversity) and not centers
                turn = term.turn(left, labeled, chosen) if isinstance(term, Coverage) else 0
                if isinstance(term, Fixed) or cold:
                    scale = getattr(term, "scale", 1.0)
                    if strength < 0 and combine == "product":
                        scale = max(scale, term.values(np.array(candidates), labeled, chosen).max())
                else:
                    if turn != turns[k]:
                        scales[k], turns[k] = None, turn
                    if scales[k] is None:
                        everyone = term.values(np.array(candidates), labeled, chosen)
                        scales[k] = everyone.max() if everyone.max() > 0 else 1.0
                    scale = scales[k]
                if combine == "product":
                    total = total * np.clip(1 - values / scale, 0, None) ** -strength
                else:
                    total = total + strength * values / scale
        total[refused] = -np.inf
        yield left, total


def greedy(terms, strengths, candidates, labeled, budget, combine="product"):
    """Picks and their combined values."""
    chosen, gains = [], []
    for left, total in totals(terms, strengths, candidates, labeled, chosen, combine):
        best = total.max()
        if len(chosen) == budget or best == -np.inf:
            break
        tied = total == best if np.isinf(best) else total >= best - abs(best) * TIE
        chosen.append(int(left[np.flatnonzero(tied)[0]]))
        gains.append(best)
    return chosen, np.array(gains)


def replay(terms, strengths, candidates, labeled, picks, combine="product"):
    """What each of ``picks`` was worth when it was chosen, and the most there was to have."""
    chosen, worth, best = [], [], []
    steps = totals(terms, strengths, candidates, labeled, chosen, combine)
    for pick, (left, total) in zip(picks, steps, strict=False):
        worth.append(total[left == pick].item())
        best.append(total.max())
        chosen.append(pick)
    return np.array(worth), np.array(best)


def squared_mmd(X, Y, width, weights=None, unbiased=False):
    """By its formula, pair by pair."""

    def alike(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / width**2)

    w = np.full(len(Y), 1 / len(Y)) if weights is None else weights
    if not unbiased:
        return alike(X, X).mean() - 2 * (alike(X, Y) @ w).mean() + w @ alike(Y, Y) @ w
    n, m = len(X), len(Y)
    own = (alike(X, X).sum() - n) / (n * (n - 1)) + (alike(Y, Y).sum() - m) / (m * (m - 1))
    return own - 2 * alike(X, Y).mean()


def herded(X, Y, width, units, may, weights=None):
    """Units in the order taken, every discrepancy anew at every pick.

    ``may(taken)`` gives the units that may be taken next.
    """
    taken = []
    while open_ := may(taken):
        values = [squared_mmd(X[np.isin(units, [*taken, one])], Y, width, weights) for one in open_]
        least = min(values)
        taken.append(next(one for one, v in zip(open_, values, strict=True) if v <= least + TIE))
    return taken
