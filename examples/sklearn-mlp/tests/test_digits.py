"""A classifier that scikit-learn trained, handed in as an entry of the digits track and judged like every other."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

from micronet_verify_sklearn.writing import save
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

MANIFEST = """\
schema: 1
title: A perceptron
team: Afternoon
members:
  - {id: ada-lind, name: Ada Lind}
track: digits
framework: sklearn
model: model.mlp.safetensors
techniques: []
submitted: "2026-01-05T12:00:00Z"
"""


def test_a_perceptron_is_judged_on_the_digits(tmp_path: Path) -> None:
    digits = load_digits()
    classifier = MLPClassifier((64,), alpha=1e-3, max_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged, and need not
        classifier.fit(digits.data[:1297] / 16, digits.target[:1297])
    entry = tmp_path / "entries" / "perceptron"
    entry.mkdir(parents=True)
    save(classifier, entry / "model.mlp.safetensors", (1, 8, 8))
    (entry / "submission.yaml").write_text(MANIFEST)
    command = [sys.executable, "-m", "micronet_verify.cli", "run", str(entry.parent), "--report", str(tmp_path / "report")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    (evidence,) = (tmp_path / "report").rglob("evidence.json")
    found = json.loads(evidence.read_text())["record"]
    right = int((classifier.predict(digits.data[1297:] / 16) == digits.target[1297:]).sum())
    assert found["quality"]["correct"] == right, done.stdout
    # 64·64 + 64 and 64·10 + 10 values of 16 bits; 64 compares
    assert found["price"]["storage"]["exact"] == f"{(64 * 64 + 64 + 64 * 10 + 10) * 16 // 32}/1", done.stdout
    (proof,) = (verdict for verdict in found["verdicts"] if verdict["check"] == "proof")
    assert proof["outcome"] == "passed", proof["message"]
    assert proof["message"].startswith("the network rebuilt from the 2,405 words that are charged gives the answers of 64 examples")
