"""From an entry's directory to a ``Submission``: the manifest read strictly, its files contained and digested.

Nothing of the entry is imported or executed, and no file is opened before it is known to be a regular file inside
the entry.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from micronet_verify.errors import Problem, SubmissionFault
from micronet_verify.facts.artifact import FileDigest, digest
from micronet_verify.strict_yaml.load import MAX_BYTES, load
from micronet_verify.strict_yaml.located import Located, Place
from micronet_verify.strict_yaml.model import by_line, check
from micronet_verify.strict_yaml.scalars import shown
from micronet_verify.submission.containment import examine
from micronet_verify.submission.manifest import MANIFEST, Manifest
from micronet_verify.submission.spec import ENTRY_POINT, ManifestSpec
from micronet_verify.submission.submission import Submission

MAX_ENTRY_BYTES = 8 << 30
# Ids become test names and folders of reports.
_ID_PART = re.compile(r"\w([\w .+()-]{0,98}[\w+)-])?")


def load_submission(entry: Path, id: str) -> Submission:
    """The entry in the directory ``entry``, which is called ``id``.

    Raises ``SubmissionFault`` with everything that is wrong with the manifest and with the files it names, together,
    in order of line.
    """
    root = entry.resolve()
    problems = [
        Problem(f"a directory named {shown(part)}", "be letters, digits, spaces and . _ - + ( ), at most 100", shown(id).strip("'"))
        for part in id.split("/")
        if not _ID_PART.fullmatch(part)
    ]
    size = examine(root, MANIFEST, MAX_BYTES)
    if isinstance(size, Problem):
        raise SubmissionFault([*problems, Problem(size.got, size.should, MANIFEST, size.advice)])
    try:
        raw = (root / MANIFEST).read_bytes()
    except OSError as error:
        raise SubmissionFault([*problems, Problem(f"a manifest that cannot be read ({error.strerror})", "be readable", MANIFEST)]) from None
    located = load(raw, MANIFEST)
    spec, found = check(ManifestSpec, located)
    names = list(_named_files(located))
    problems += by_line([*found, *_contain(root, located, names)])
    if spec is None or problems:
        raise SubmissionFault(problems)
    files = _digests(root, located, names)
    return Submission(id, root, spec.fact(located), hashlib.sha256(raw).hexdigest(), files)


def read_manifest(entry: Path) -> Manifest:
    """The manifest alone, without a look at the files that it names. Raises ``SubmissionFault``."""
    root = entry.resolve()
    size = examine(root, MANIFEST, MAX_BYTES)
    if isinstance(size, Problem):
        raise SubmissionFault(size)
    located = load((root / MANIFEST).read_bytes(), MANIFEST)
    spec, found = check(ManifestSpec, located)
    if spec is None or found:
        raise SubmissionFault(by_line(found))
    return spec.fact(located)


def _named_files(located: Located) -> Iterator[tuple[Place, str]]:
    """Every file that the manifest names, from the raw data: a manifest with other faults has its files checked too."""
    data = located.data if isinstance(located.data, dict) else {}
    source = data.get("source")
    candidates: list[tuple[Place, object]] = [(("model",), data.get("model"))]
    candidates += _items(data, ("external_data",))
    if isinstance(source, dict):
        entry_point = source.get("entry_point")
        if isinstance(entry_point, str) and re.fullmatch(ENTRY_POINT, entry_point):
            candidates.append((("source", "entry_point"), entry_point.rpartition(":")[0]))
        candidates.append((("source", "weights"), source.get("weights")))
        candidates += _items(source, ("source", "modules"))
    if isinstance(step := data.get("step"), dict):
        candidates += [(("step", key), step.get(key)) for key in ("initial_state", "chunk")]
    candidates.append((("write_up",), data.get("write_up")))
    spoiled = {place for place, _ in located.problems}
    for place, name in candidates:
        if isinstance(name, str) and place not in spoiled:
            yield place, name


def _items(mapping: dict[str, object], place: Place) -> list[tuple[Place, object]]:
    names = mapping.get(str(place[-1]))
    return [((*place, index), name) for index, name in enumerate(names if isinstance(names, list) else ())]


def _contain(root: Path, located: Located, names: list[tuple[Place, str]]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    total = 0
    for place, name in names:
        key, where = [step for step in place if isinstance(step, str)][-1], located.where(place)
        earlier = seen.get(name.casefold())
        if earlier is not None:
            got = f"{shown(name)} a second time" if earlier == name else f"{shown(name)} and {shown(earlier)}"
            yield Problem(f"{key}: {got}", "be named once, and differ from other names in more than upper and lower case", where)
            continue
        seen[name.casefold()] = name
        size = examine(root, name)
        if isinstance(size, Problem):
            yield Problem(f"{key}: {size.got}", size.should, where, size.advice)
        else:
            total += size
    if total > MAX_ENTRY_BYTES:
        yield Problem(f"files of {total:,} bytes together", f"have at most {MAX_ENTRY_BYTES:,}", located.name)


def _digests(root: Path, located: Located, names: list[tuple[Place, str]]) -> tuple[FileDigest, ...]:
    found: list[FileDigest] = []
    problems: list[Problem] = []
    for place, name in sorted(names, key=lambda item: item[1]):
        try:
            found.append(digest(root, name))
        except OSError as error:
            problems.append(Problem(f"{shown(name)}, which cannot be read ({error.strerror}),", "be readable", located.where(place)))
    if problems:
        raise SubmissionFault(by_line(problems))
    return tuple(found)
