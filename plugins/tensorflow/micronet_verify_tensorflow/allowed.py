"""Which operators a SavedModel may hold at all: looked at in every node of the graph and of every function, before anything else.

TensorFlow's operators can read and write any file and run Python code, from functions that nothing seems to call. What the
signature reaches must be in the op table, and a node that is named after a function is no call of it. Elsewhere (functions for
training, gradients) an operator must at least be known to compute and nothing else. Checkpoints are read and written by the
saver's functions alone, and those are never run here.
"""

from __future__ import annotations

from collections.abc import Iterator

from micronet_verify.plugin import Problem, SubmissionFault
from micronet_verify_tensorflow.messages import NodeDef
from micronet_verify_tensorflow.op_table import TABLE
from micronet_verify_tensorflow.program import Program

# What TensorFlow writes around a model to create and fill variables.
HANDLES = frozenset({"Placeholder", "VarHandleOp"})
BOOKKEEPING = HANDLES | {"AssignVariableOp", "DisableCopyOnRead", "VarIsInitializedOp"}
# What the saver's functions do.
SAVER = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename", "StaticRegexFullMatch", "StringJoin"})

_EXPORT = "export for inference only: model.export(folder)"
_REASONS = (
    (("ReadFile", "WriteFile", "MatchingFiles", "Save", "Restore", "Merge", "Sharded", "File", "Reader"), "reads or writes files"),
    (("PyFunc", "PyFuncStateless", "Py", "EagerPy"), "runs Python code"),
    (("Table",), "fills or reads a table"),
    (("Dataset", "Iterator", "Queue"), "reads a data pipeline"),
    (("Print", "Summary", "Log"), "writes text"),
    (("Xla", "TRT", "TPU", "Remote", "Rpc", "Send", "Recv", "Collective"), "leaves the graph"),
)


def check_operators(program: Program, saver: tuple[str, str, str]) -> None:
    """Raise ``SubmissionFault`` with every operator that is not allowed where it stands."""
    served = program.before(tuple(program.signature.outputs.values()))
    serving = program.reached(served)
    saving = program.before(saver) if any(saver) else ()
    saved = program.reached(saving) - serving
    of_saver = {node.name for node in saving} - {node.name for node in served}
    of_serving = {node.name for node in served}
    problems: dict[Problem, None] = {}
    for node in program.main.nodes.values():
        problems.update(dict.fromkeys(_refused(program, node, "", node.name in of_serving, node.name in of_saver)))
    for name, body in program.functions.items():
        for node in body.nodes.values():
            problems.update(dict.fromkeys(_refused(program, node, name, name in serving, name in saved)))
    if problems:
        raise SubmissionFault(problems)


def _refused(program: Program, node: NodeDef, function: str, serving: bool, saving: bool) -> Iterator[Problem]:
    op = node.op
    if op in TABLE or op == "NoOp":
        return
    if (op in HANDLES and not function) or (not serving and op in BOOKKEEPING) or (saving and op in SAVER):
        return
    place = f"{op} in {function}" if function else f"{op} in the main graph"
    reason = "changes variables" if op in BOOKKEEPING else ""
    reason = reason or next((words for parts, words in _REASONS if any(part in op for part in parts)), "")
    got = f"the operator {op} (node {node.name!r})" + (f", which {reason}," if reason else "")
    yield Problem(got, "be one that only computes", place, _EXPORT)
