"""Values of other programs that lib/metrics is held to.

usage: python3 -m venv V && V/bin/pip install --no-deps -r conformance/reference.txt
       V/bin/python conformance/reference.py        writes lib/metrics/testdata/reference.json

Draws samples of fixed seeds, computes with SciPy, scikit-learn, NLTK and
rouge-score, or with plain NumPy from the formulas of the papers, and writes inputs
and results. The same versions write the same file: results are cut to 13
digits, behind which the order of a processor's additions shows.
"""

import json
import math
import pathlib
from collections import Counter, defaultdict

import numpy as np
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_score.rouge_scorer import RougeScorer
from scipy.spatial.distance import cdist, jensenshannon, pdist
from scipy.special import kolmogorov
from scipy.stats import bootstrap, ks_2samp, wasserstein_distance
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

FILE = pathlib.Path(__file__).parent.parent / "lib/metrics/testdata/reference.json"
VOCABULARY = 260


def draw(seed):
    return np.random.default_rng(seed)


def digits(value):
    """value with floats cut to 13 digits, as plain Python numbers."""
    if isinstance(value, dict):
        return {k: digits(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [digits(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.13g}")
    return value


def divergences():
    """Base 2, the square of SciPy's distance."""
    out = []
    for seed, bins in enumerate([1, 2, 5, 20, 60]):
        r = draw(seed)
        p, q = r.poisson(3, bins) + (bins == 1), r.poisson(5, bins) * r.integers(0, 2, bins) + (np.arange(bins) == 0)
        out.append({"P": p, "Q": q, "JSD": jensenshannon(p, q, 2) ** 2})
    return out


def samples():
    """Samples of numbers: continuous ones, ties, a shift, unequal sizes."""
    r = draw(10)
    pairs = [
        (r.normal(size=60), r.normal(size=60)),
        (r.normal(size=80), r.normal(.8, 1.5, 45)),
        (r.integers(0, 6, 70), r.integers(0, 8, 50)),
        (r.lognormal(-6, 3, 90), r.lognormal(-5, 2, 110)),
        (np.array([1.5]), np.array([2.5, 0, 4])),
        (np.arange(30), np.arange(30) + 100),
    ]
    out = []
    for x, y in pairs:
        x, y = np.round(x.astype(float), 6), np.round(y.astype(float), 6)
        ks = ks_2samp(x, y, method="asymp")
        size = len(x) * len(y) / (len(x) + len(y))
        out.append({
            "X": x, "Y": y, "KS": ks.statistic, "Wasserstein": wasserstein_distance(x, y),
            # What KSPValue is: Kolmogorov's limit. ks_2samp takes the law of one
            # sample of the effective size, which differs as 1/sqrt(size).
            "P": kolmogorov(ks.statistic * math.sqrt(size)), "SciPyP": ks.pvalue,
        })
    return out


def classes():
    r = draw(20)
    names = np.array(["dns", "http", "ssh", "tls", "voip"])
    truth = names[r.choice(5, 120, p=[.4, .3, .15, .15, 0])]
    predicted = np.where(r.random(120) < .6, truth, names[r.integers(0, 5, 120)])
    labels, present = sorted(set(truth) | set(predicted)), sorted(set(truth))
    return {
        "Truth": truth.tolist(), "Predicted": predicted.tolist(), "Labels": [str(l) for l in labels],
        "Confusion": confusion_matrix(truth, predicted, labels=labels), "Accuracy": accuracy_score(truth, predicted),
        # over the classes that the test set has
        "MacroF1": f1_score(truth, predicted, labels=present, average="macro", zero_division=0),
        "F1": f1_score(truth, predicted, labels=labels, average=None, zero_division=0),
    }


def scores():
    """Scores of two classes, the second list with ties."""
    out = []
    for seed, decimals in [(30, 6), (31, 1)]:
        r = draw(seed)
        positive = r.random(150) < .4
        score = np.round(r.normal(size=150) + positive, decimals)
        fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
        rates = [0, .01, .05, .1, .5, 1]

        def auc(p, n):
            return roc_auc_score(np.r_[np.ones(len(p)), np.zeros(len(n))], np.r_[p, n])

        interval = bootstrap((score[positive], score[~positive]), auc, vectorized=False, paired=False, n_resamples=4000,
                             method="percentile", rng=draw(seed)).confidence_interval
        out.append({
            "Scores": score, "Positive": positive, "AUC": roc_auc_score(positive, score), "Low": interval.low, "High": interval.high,
            "FPR": rates, "TPR": [tpr[fpr <= x].max() for x in rates],
        })
    return out


def mmd(x, y, bandwidth):
    """Gretton et al. 2012, equation 3, term by term."""
    def k(a, b):
        return math.exp(-math.fsum((a - b) ** 2) / (2 * bandwidth ** 2))
    n, m = len(x), len(y)
    return (math.fsum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
            + math.fsum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
            - 2 * math.fsum(k(a, b) for a in x for b in y) / (n * m))


def permutation(x, y, bandwidth, n, r):
    """p of n divisions of the pooled points, by matrices."""
    pool = np.r_[x, y]
    k = np.exp(-cdist(pool, pool, "sqeuclidean") / (2 * bandwidth ** 2))
    np.fill_diagonal(k, 0)

    def value(order):
        a, b = order[:len(x)], order[len(x):]
        return (k[np.ix_(a, a)].sum() / (len(a) * (len(a) - 1)) + k[np.ix_(b, b)].sum() / (len(b) * (len(b) - 1))
                - 2 * k[np.ix_(a, b)].sum() / (len(a) * len(b)))
    seen = value(np.arange(len(pool)))
    return (1 + sum(value(r.permutation(len(pool))) >= seen - 1e-12 for _ in range(n))) / (1 + n)


def radii(points, k):
    return NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(points).kneighbors(points)[0][:, k]


def points():
    """Sets of points, standardized, and what says how far they are apart."""
    out = []
    for seed, n, m, shift, k in [(40, 50, 40, 0, 5), (41, 40, 60, .7, 3), (42, 30, 30, 3, 5)]:
        r = draw(seed)
        scale = np.array([1, 100, .01, 5])
        real = np.round(r.normal(size=(n, 4)) * scale + 7, 6)
        fake = np.round((r.normal(size=(m, 4)) * r.uniform(.6, 1.2, 4) + shift) * scale + 7, 6)
        scaler = StandardScaler().fit(real)
        # Rounded, so that what is compared with them has the very same points.
        a, b = np.round(scaler.transform(real), 9), np.round(scaler.transform(fake).clip(-8, 8), 9)
        median = float(np.median(pdist(np.r_[a, b])))
        d = cdist(a, b)
        inside = d <= radii(a, k)[:, None]
        out.append({
            "Real": real, "Generated": fake, "A": a, "B": b, "K": k,
            "Bandwidth": median, "MMD": mmd(a, b, median), "MMDOf2": mmd(a, b, 2), "P": permutation(a, b, median, 4000, r),
            "Precision": inside.any(axis=0).mean(), "Recall": (d <= radii(b, k)[None, :]).any(axis=1).mean(),
            "Density": inside.sum() / (k * m), "Coverage": inside.any(axis=1).mean(),
        })
    return out


def sentence(r, length, table):
    """A walk over a few tokens, so that n-grams come again."""
    out = [int(r.integers(0, 20))]
    while len(out) < length:
        out.append(int(table[out[-1], r.integers(0, 3)]) if r.random() < .8 else int(r.integers(0, VOCABULARY)))
    return out[:length]


class Words:
    @staticmethod
    def tokenize(text):
        return text.split()


def text():
    r = draw(50)
    table = r.integers(0, 20, (VOCABULARY, 3))
    references = [sentence(r, n, table) for n in (40, 75, 130, 64)]
    candidates = [sentence(r, n, table) for n in (40, 70, 129, 200, 3, 1)]
    candidates += [references[2], references[1][:30], [250] * 12, [5] * 64]
    smooth = SmoothingFunction().method2
    rouge = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Words())

    def words(tokens):
        return " ".join(map(str, tokens))
    out = []
    for c in candidates:
        best = rouge.score_multi([words(x) for x in references], words(c))
        out.append({
            "Candidate": c,
            "BLEU": sentence_bleu(references, c, smoothing_function=smooth),
            "BLEU2": sentence_bleu(references, c, weights=(.5, .5), smoothing_function=smooth),
            "ROUGE1": best["rouge1"].fmeasure, "ROUGE2": best["rouge2"].fmeasure, "ROUGEL": best["rougeL"].fmeasure,
        })
    return {"References": references, "Cases": out}


class WittenBell:
    """P(w|h) = (c(h,w) + T(h) P(w|h')) / (c(h) + T(h)), down to 1/260."""

    def __init__(self, order, sequences):
        self.order, self.counts = order, defaultdict(Counter)
        for s in sequences:
            for i, w in enumerate(s):
                for n in range(order):
                    if n <= i:
                        self.counts[tuple(s[i - n:i])][w] += 1

    def probability(self, history, w):
        lower = self.probability(history[1:], w) if history else 1 / VOCABULARY
        seen = self.counts.get(tuple(history))
        if not seen:
            return lower
        return (seen[w] + len(seen) * lower) / (seen.total() + len(seen))

    def bits(self, sequences):
        costs = [-math.log2(self.probability(s[max(0, i - self.order + 1):i], w)) for s in sequences for i, w in enumerate(s)]
        return math.fsum(costs) / len(costs)


def ngrams():
    r = draw(60)
    table = r.integers(0, 20, (VOCABULARY, 3))
    training = [sentence(r, n, table) for n in (60, 1, 90, 2, 120)]
    test = [sentence(r, n, table) for n in (50, 3, 80)]
    bits = []
    for order in (1, 2, 3, 4, 6):
        model = WittenBell(order, training)
        bits.append({"Order": order, "Training": model.bits(training), "Test": model.bits(test)})
    return {"Training": training, "Test": test, "Bits": bits}


def main():
    parts = {
        "Divergences": divergences(), "Samples": samples(), "Classes": classes(), "Scores": scores(),
        "Points": points(), "Text": text(), "NGrams": ngrams(),
    }
    lines = [f"{json.dumps(name)}: {json.dumps(digits(part), separators=(',', ':'))}" for name, part in parts.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
