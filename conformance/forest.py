#!/usr/bin/env python3
"""What scikit-learn's random forest makes of three data sets, for lib/classify's tests.

Draws the data sets, trains RandomForestClassifier (100 trees, ⌈√columns⌉ tries)
with 20 seeds on the first half of each, scores the second half, and writes data
and scores (mean and standard deviation over the seeds) to
lib/classify/testdata/forest.json. AUC is of class 1 where there are two classes.
The ranking is by the mean of permutation_importance over 5 of the seeds, of
accuracy, or of AUC where there are two classes; only columns that stand clear of
the next one are listed.

usage: python forest.py        (with the packages of forest.txt)
"""

import json
import pathlib

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

SEEDS = 20
OUT = pathlib.Path(__file__).parent.parent / "lib/classify/testdata/forest.json"


def gaussians(rng):
    """Two classes that overlap: three columns tell them apart, six do not."""
    y = rng.integers(0, 2, 800)
    x = rng.normal(size=(800, 9))
    x[:, 2] += 1.2 * y
    x[:, 5] += 0.8 * y
    x[:, 7] -= 0.5 * y
    return x.round(3), y


def four(rng):
    """Four classes at the corners of a square, one of them rare, with four columns of noise."""
    y = rng.choice(4, 800, p=[0.35, 0.3, 0.25, 0.1])
    x = rng.normal(size=(800, 6))
    x[:, 1] += 2.0 * (y % 2)
    x[:, 4] += 1.5 * (y // 2)
    return x.round(3), y


def bytes_(rng):
    """Bytes of which two, together, are the class, and an eighth of the labels wrong."""
    x = rng.integers(0, 256, size=(1000, 16))
    x[:, 3] = rng.choice([0, 6, 17, 58], 1000)
    x[:, 10] = rng.choice([64, 128, 255], 1000)
    y = ((x[:, 3] == 6) | (x[:, 10] == 255)).astype(int)
    y = np.where(rng.random(1000) < 0.125, 1 - y, y)
    return x, y


def reference(name, x, y):
    half = len(y) // 2
    two = y.max() == 1
    scores, drops = [], []
    for seed in range(SEEDS):
        forest = RandomForestClassifier(100, max_features=int(np.ceil(np.sqrt(x.shape[1]))), random_state=seed, n_jobs=1)
        forest.fit(x[:half], y[:half])
        predicted = forest.predict(x[half:])
        row = {"accuracy": accuracy_score(y[half:], predicted), "macroF1": f1_score(y[half:], predicted, average="macro")}
        if two:
            row["auc"] = roc_auc_score(y[half:], forest.predict_proba(x[half:])[:, 1])
        scores.append(row)
        if seed < 5:
            found = permutation_importance(forest, x[half:], y[half:], scoring="roc_auc" if two else "accuracy", n_repeats=10, random_state=seed)
            drops.append(found.importances_mean)
    mean, spread = np.mean(drops, axis=0), np.std(drops, axis=0)
    order = np.argsort(-mean)
    top = []
    for a, b in zip(order, order[1:]):
        if mean[a] < 0.01 or mean[a] - mean[b] < 4 * max(spread[a], spread[b]):
            break
        top.append(int(a))
    return {
        "name": name,
        "x": x.tolist(),
        "y": y.tolist(),
        "train": half,
        "scores": {k: {"mean": float(np.mean([s[k] for s in scores])), "sd": float(np.std([s[k] for s in scores], ddof=1))} for k in scores[0]},
        "top": top,
        "drops": [round(float(mean[i]), 4) for i in top],
    }


def main():
    rng = np.random.default_rng(20)
    sets = [reference(name, *draw(rng)) for name, draw in [("gaussians", gaussians), ("four", four), ("bytes", bytes_)]]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(sets, separators=(",", ":")) + "\n")
    for s in sets:
        print(s["name"], s["scores"], s["top"], s["drops"])


if __name__ == "__main__":
    main()
