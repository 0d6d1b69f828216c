"""Finds tracks and editions of the counting rules, by name or by path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from micronet_verify.errors import Problem, SpecError
from micronet_verify.strict_yaml.load import load
from micronet_verify.strict_yaml.model import by_line, check, parse
from micronet_verify.strict_yaml.scalars import shown
from micronet_verify.strict_yaml.sentences import did_you_mean
from micronet_verify.track.rules import CountingRules
from micronet_verify.track.spec import RulesSpec, TrackSpec
from micronet_verify.track.track import Track

RULES = "rules"
LABELS = "labels"


class UnknownName(SpecError):
    """No track, or no edition of the rules, has the name that was asked for. One that stands in a file is the file's fault."""


def spec_folder() -> Path:
    """The folder of the tracks that come with this package: inside it when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "track_specs"
    return inside if inside.is_dir() else package.parent / "track_specs"


def track_names(folders: Sequence[Path] = ()) -> list[str]:
    """Names of every track in ``folders`` and in the package's own folder, sorted."""
    return _names((*folders, spec_folder()))


def track_problems(folders: Sequence[Path] = ()) -> list[Problem]:
    """What is wrong with any track file in ``folders`` and in the package's own folder."""
    problems: list[Problem] = []
    for name in track_names(folders):
        try:
            load_track(name, folders)
        except SpecError as error:
            problems += error.problems
    return problems


def load_track(track: str | Path, folders: Sequence[Path] = ()) -> Track:
    """The track of this name, or in this file: a ``Path``, or text that ends in ``.yaml``.

    ``folders`` are searched before the package's own, for tracks and (in their folder ``rules``) for editions. Raises
    ``SpecError`` with everything that is wrong with the track file and its edition, together.
    """
    searched = (*folders, spec_folder())
    path = Path(track) if isinstance(track, Path) or track.endswith(".yaml") else _find("track", track, searched)
    located = load(path)
    spec, problems = check(TrackSpec, located)
    rules, labels = CountingRules(), tuple[str, ...]()
    if isinstance(located.data, dict):
        named, edition = located.data.get("name"), located.data.get("rules")
        if isinstance(named, str) and named != path.stem:
            problems.append(Problem(f"name: {shown(named)}", f"be {path.stem!r}, as the file is", located.where(("name",))))
        if isinstance(edition, str):
            try:
                rules = load_rules(edition, (path.parent, *searched), located.where(("rules",)))
            except SpecError as error:
                problems.extend(error.problems)
        dataset = located.data.get("dataset")
        if isinstance(dataset, dict) and isinstance(dataset.get("labels"), str):
            where = located.where(("dataset", "labels"))
            try:
                labels = load_labels(dataset["labels"], dataset.get("classes"), (path.parent, *searched), where)
            except SpecError as error:
                problems.extend(error.problems)
    if spec is None or problems:
        raise SpecError(by_line(problems))
    return spec.fact(rules, labels)


def load_rules(edition: str, folders: Sequence[Path] = (), where: str = "") -> CountingRules:
    """The edition of this name, from a folder ``rules`` in ``folders`` or in the package's own.

    ``where`` is the place that names it, for the message. Raises ``SpecError``.
    """
    path = _find("edition of the counting rules", edition, [folder / RULES for folder in (*folders, spec_folder())], where)
    located = load(path, f"{RULES}/{path.name}")
    rules = parse(RulesSpec, located, SpecError).fact()
    if rules.edition != path.stem:
        raise SpecError(Problem(f"edition: {rules.edition!r}", f"be {path.stem!r}, as the file is", located.where(("edition",))))
    return rules


def load_labels(name: str, classes: object, folders: Sequence[Path] = (), where: str = "") -> tuple[str, ...]:
    """The label map of this name: one class a line, from a folder ``labels`` in ``folders`` or in the package's own.

    ``classes`` is how many there must be. Raises ``SpecError``.
    """
    path = _find("label map", name, [folder / LABELS for folder in (*folders, spec_folder())], where, ".txt")
    try:
        found = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(Problem(f"a label map that cannot be read ({error})", "be lines of text", f"{LABELS}/{path.name}")) from None
    seen: dict[str, int] = {}
    for number, label in enumerate(found, 1):
        if not label.strip() or label != label.strip() or label in seen:
            got = f"the class {shown(label)} a second time" if label in seen else f"the class {shown(label)}"
            raise SpecError(Problem(got, "be one name a line, each once", f"{LABELS}/{path.name}:{number}"))
        seen[label] = number
    if found and isinstance(classes, int) and len(found) != classes:
        raise SpecError(Problem(f"a label map of {len(found):,} classes", f"be {classes:,}, as dataset.classes says", where))
    return tuple(found)


def _find(what: str, name: str, folders: Sequence[Path], where: str = "", suffix: str = ".yaml") -> Path:
    # Only names that a listing shows are opened, so that no name can lead out of the folders.
    for folder in folders:
        if name in _names([folder], suffix):
            return folder / f"{name}{suffix}"
    known = _names(folders, suffix)
    article = "an" if what[0] in "aeiou" else "a"
    advice = did_you_mean(name, known) or (f"there are: {', '.join(known)}" if known else "there are none")
    raise (SpecError if where else UnknownName)(Problem(f"{article} {what} named {shown(name)}", "be one that exists", where, advice))


def _names(folders: Sequence[Path], suffix: str = ".yaml") -> list[str]:
    return sorted({path.stem for folder in folders if folder.is_dir() for path in folder.glob(f"*{suffix}")})
