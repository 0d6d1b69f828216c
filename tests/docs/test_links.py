"""Every relative link of every page leads to a file of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGES = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    found = [target for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")) if "://" not in target]
    missing = [target for target in found if not (ROOT / page).parent.joinpath(target.partition("#")[0]).exists()]
    assert missing == []


def test_the_pages_of_docs_are_reachable_from_the_readme() -> None:
    seen, open_pages = set[str](), ["README.md"]
    while open_pages:
        page = open_pages.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            path = (ROOT / page).parent.joinpath(target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_relative_to(ROOT):
                open_pages.append(str(path.relative_to(ROOT)))
    assert sorted(page for page in PAGES if page.startswith("docs/") and page not in seen) == []
