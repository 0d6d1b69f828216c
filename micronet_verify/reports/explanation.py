"""A ledger explained on a terminal: layers with their share, then every charge of each, then the totals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from micronet_verify.counting.ledger import Ledger, LedgerLine
from micronet_verify.counting.score import Score
from micronet_verify.reports.layers import Layer, Scale, dearest_layers, layers
from micronet_verify.reports.tables import safe, table
from micronet_verify.reports.texts import broken
from micronet_verify.track.track import Baseline
from micronet_verify.wording.numbers import figure, percent, rounded

_NARROW = 80


def explanation(
    ledger: Ledger, baseline: Baseline | None, top: int | None = None, width: int = _NARROW, depth: int | None = None
) -> Iterator[RenderableType]:
    """What to print, part by part. ``top``: only so many layers, the dearest first; ``depth``: see ``layers``."""
    found, scale = layers(ledger, depth), Scale.of(ledger, baseline)
    charged = [layer for layer in found if layer.storage or layer.operations]
    shown = dearest_layers(charged, scale, top) if top is not None else charged
    yield _summary(shown, charged, ledger, scale)
    yield Text()
    widths = _widths(shown, width)
    for layer in shown:
        yield from _charges(layer, scale, widths)
    if top is None:
        yield from _not_charged(found)
    yield from totals(ledger, baseline)


def totals(ledger: Ledger, baseline: Baseline | None) -> Iterator[Text]:
    """The sums of all lines and, where there is a baseline, how they make the score."""
    storage, operations = figure(ledger.storage), figure(ledger.operations)
    if baseline is None:
        yield Text(f"Total storage     {storage} words of 32 bit")
        yield Text(f"Total operations  {operations} of 32 bit, per example")
        return
    score = Score.of(ledger, baseline)
    wide = max(len(storage), len(operations))
    yield Text(f"Storage     {storage:>{wide}} words / {figure(baseline.parameters)} = {rounded(score.storage, 6)}")
    yield Text(f"Operations  {operations:>{wide}}       / {figure(baseline.operations)} = {rounded(score.operations, 6)}")
    yield Text(f"Score       {rounded(score.value, 6)}  (lower is better)", "bold")


def _summary(shown: Sequence[Layer], charged: Sequence[Layer], ledger: Ledger, scale: Scale) -> Table:
    numbers = ["storage", "%", "operations", "%"] + (["% of score"] if scale.baseline else [])
    made = table(["layer", *numbers], numbers)

    def row(name: str, storage: Fraction, operations: Fraction, style: str = "") -> None:
        shares = [(storage, ledger.storage), (operations, ledger.operations)]
        cells = [text for part, whole in shares for text in (figure(part), share(part, whole))]
        overall = [share(scale.share(storage, operations), Fraction(1))] if scale.baseline else []
        made.add_row(safe(name, style), *(Text(cell, style) for cell in cells + overall))

    for layer in shown:
        row(layer.name, layer.storage, layer.operations)
    rest = [layer for layer in charged if layer not in shown]
    if rest:
        name = f"{len(rest)} more layer{'s' if len(rest) > 1 else ''}"
        row(name, sum((one.storage for one in rest), Fraction(0)), sum((one.operations for one in rest), Fraction(0)), "dim")
    row("total", ledger.storage, ledger.operations, "bold")
    return made


def share(part: Fraction, whole: Fraction) -> str:
    """A share for a column under a head that says percent."""
    return percent(part, whole).removesuffix(" %")


def _charges(layer: Layer, scale: Scale, widths: Sequence[int]) -> Iterator[RenderableType]:
    head = safe(layer.name, "bold")
    if scale.baseline:
        head.append(f"   {percent(scale.share(layer.storage, layer.operations), Fraction(1))} of the score", "not bold dim")
    yield head
    made = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    for wide in widths[:-2]:
        made.add_column(width=wide, overflow="fold")
    for wide in widths[-2:]:
        made.add_column(width=wide, justify="right", no_wrap=True)
    for line in layer.lines:
        if line.amount:
            name = Text("\n".join(broken(subject(line, layer.name), widths[3])))
            cells = [safe(line.rule), safe(_kind(line)), name, safe(told(line)), safe(f"{line.bits} bit")]
            made.add_row("", *cells, Text(figure(line.amount)))
    yield made
    yield Text()


def _widths(shown: Sequence[Layer], width: int) -> tuple[int, ...]:
    """Widths of the columns of charges, the same for all layers, so that they stand below one another."""
    lines = [line for layer in shown for line in layer.lines if line.amount]

    def longest(texts: Iterable[str], least: int) -> int:
        return max((len(text) for text in texts), default=least)

    rule, kind, bits = (
        (longest(texts, 1) for texts in zip(*((line.rule, _kind(line), f"{line.bits} bit") for line in lines), strict=True))
        if lines
        else (1, 1, 1)
    )
    amount = longest((figure(line.amount) for line in lines), 1)
    free = max(width, _NARROW) - 1 - rule - kind - bits - amount - 6
    name = min(longest((subject(line, layer.name) for layer in shown for line in layer.lines if line.amount), 1), free * 2 // 5)
    formula = min(longest((told(line) for line in lines), 1), free - name)
    return 1, rule, kind, name, formula, bits, amount


def _kind(line: LedgerLine) -> str:
    return "storage" if line.axis == "storage" else line.operation


def subject(line: LedgerLine, layer: str) -> str:
    """What the line charges, without the name of the layer that stands above it."""
    if line.axis == "storage":
        return line.subject.removeprefix(f"{layer}.")
    inner = line.scope.removeprefix(layer).lstrip(".")
    name = line.subject.removesuffix(f" in {line.scope}")
    return f"{name} in {inner}" if inner and name != line.subject else name


def told(line: LedgerLine) -> str:
    """The formula, without the width that has its own column, and the note."""
    formula = line.formula.removesuffix(f" × {line.bits} bit")
    return f"{formula} ({line.note})" if line.note else formula


def _not_charged(found: Sequence[Layer]) -> Iterator[RenderableType]:
    lines = [line for layer in found for line in layer.lines if not line.amount]
    if not lines:
        return
    yield Text("Seen and not charged", "bold")
    made = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    for _ in range(4):
        made.add_column(overflow="fold")
    for line in lines:
        made.add_row("", *map(safe, (line.rule, line.subject, line.note or line.formula)))
    yield made
    yield Text()
