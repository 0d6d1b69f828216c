"""Makes the model files of every sample entry again: ``python -m sample_submissions.train [--only NAME ...]``.

Honest entries are trained (about three minutes on one core), broken ones derived from them. Run from the project's root.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sample_submissions.recipes.deterministic import pin


def main() -> None:
    pin()
    from sample_submissions.recipes.broken import BROKEN
    from sample_submissions.recipes.honest import HONEST, SAMPLES
    from sample_submissions.recipes.tales import TALES

    folders = {"digits": HONEST, "tales": TALES, "broken": BROKEN}
    recipes = {f"{folder}/{name}": recipe for folder, found in folders.items() for name, recipe in found.items()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(recipes), help="entries, such as digits/dense-pytorch")
    parser.add_argument("--out", type=Path, default=SAMPLES, help="where to write; the starting points are still read from here")
    options = parser.parse_args()
    for name, recipe in recipes.items():
        if options.only and name not in options.only:
            continue
        folder = options.out / name
        folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        recipe(folder)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"{name:32} {time.perf_counter() - start:6.1f} s {size:8,} bytes", flush=True)


if __name__ == "__main__":
    main()
