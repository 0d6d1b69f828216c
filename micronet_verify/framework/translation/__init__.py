"""One translator for every plugin: the walk over a file's operators, and what all of them need on the way.

The walk drives and a plugin answers. A plugin hands over steps (``walk.Step``: an operator's name, place, operands, results and
its line of the op table), a scope that knows what its names stand for, and a view on one node (a subclass of ``op.Op``) that
reads attributes. Operands, faults, limits, shape arithmetic, bodies and loops are the same for all and live here.
"""
