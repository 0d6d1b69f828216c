"""What a small file may ask of a translation, and what still counts as a description of shapes: each bound once, for every plugin."""

from __future__ import annotations

MOST_NODES = 200_000
"""Operators of one translation. Functions that call functions, and loops, can make a small file as long as one likes."""

DEEPEST = 64
"""Levels of calls, branches and loops inside one another: real networks have a dozen, and Python's stack has an end."""

UNROLLED = 4_000
"""A loop of more operators, once it is written out, is one ``loop`` node wherever its turns are alike."""

MOST_UNROLLED = 60_000
"""Operators of a loop that must be written out, because its turns are not alike."""

MOST_GENERATED = 1 << 24
"""Elements of a constant that an operator generates: it is stored in full (rule S2)."""

MOST_INTEGERS = 4096
"""Whole numbers of a tensor that describes shapes."""

MOST_FLOATS = 64
"""Floats of a tensor that is a bound, a scale of a resize and the like."""

LONGEST = 120
"""Characters of an operator's place, or of another's error in our sentence."""

SHAPE_TYPES = frozenset({"int32", "int64", "bool"})
"""Types in which shapes, places and choices are described."""
