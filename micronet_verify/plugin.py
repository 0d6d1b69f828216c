"""Everything that a plugin needs, and the only module of micronet_verify that it imports (its tests: ``micronet_verify.testing``, too).

``INTERFACE`` is its version: a plugin states in its module which one it was written for (``MICRONET_INTERFACE = (1, 0)``).
What is not here is the judge's own and may change at any time. Nothing here knows a price or a label.
"""

from micronet_verify import plugin
from micronet_verify.errors import BenchFault, Problem, SubmissionFault
from micronet_verify.facts.data import Expected, KnownFile
from micronet_verify.facts.formats import BOOL, FLOAT16, FLOAT32, FLOAT64, INT32, INT64, NumericFormat, numeric_format, numpy_dtype
from micronet_verify.facts.graph import Attribute, Graph, Node, Shape, Value
from micronet_verify.facts.shapes import ShapeError, broadcast, ints
from micronet_verify.facts.tensors import row_major
from micronet_verify.framework.answering import answers
from micronet_verify.framework.batch.compare import check_batch
from micronet_verify.framework.builder import GraphBuilder
from micronet_verify.framework.data import DatasetMissing, Metric, Reader, Split
from micronet_verify.framework.files.protobuf import BYTES, FIXED32, FIXED64, VARINT, Buffer, Field, decode_varints, encoded, fields, varint
from micronet_verify.framework.files.recognise import PT2, instead
from micronet_verify.framework.hookspecs import hookimpl
from micronet_verify.framework.interface import INTERFACE
from micronet_verify.framework.organizing import (
    ChargeFacts,
    Check,
    CheckRequest,
    CheckResult,
    EntryFacts,
    Report,
    ReportRequest,
    VerdictFacts,
)
from micronet_verify.framework.protocols import CPU, Answer, Counter, Exporting, Framework, Loader, Tracing, as_batches
from micronet_verify.framework.requests import (
    ExportRequest,
    Home,
    MeasureRequest,
    OpenRequest,
    PredictRequest,
    StepRequest,
    TraceRequest,
    TranslateRequest,
)
from micronet_verify.framework.stepping import (
    TRIED,
    Form,
    Port,
    Stepper,
    Stepping,
    check_chunk,
    check_rows,
    check_step,
    chunk_length,
    rows_format,
    whole_chunk,
    zeros,
)
from micronet_verify.framework.translation import bodies, elementwise, inputs, look_ups, loops, moving, op, recurrent, scope
from micronet_verify.framework.translation.bodies import NOT_REACHED, SIDES, branch, branch_names
from micronet_verify.framework.translation.einsum import einsum
from micronet_verify.framework.translation.elementwise import sole
from micronet_verify.framework.translation.folding import Fold, Folds, Found
from micronet_verify.framework.translation.inputs import input_shape
from micronet_verify.framework.translation.limits import DEEPEST, LONGEST, MOST_GENERATED, MOST_INTEGERS, SHAPE_TYPES
from micronet_verify.framework.translation.loop_node import Loop, Scanned, Turn
from micronet_verify.framework.translation.loops import loop, stacked, while_loop
from micronet_verify.framework.translation.moving import same_padding, shared_out
from micronet_verify.framework.translation.op import FIXED, Emitting
from micronet_verify.framework.translation.op import Answer as RuleResult
from micronet_verify.framework.translation.operand import Item, NoTensor, Operand, Result, Results, computed, folded, stored, tensor
from micronet_verify.framework.translation.recurrent import Function
from micronet_verify.framework.translation.scope import Scope
from micronet_verify.framework.translation.shape_arithmetic import (
    NUMPY,
    arithmetic,
    cumulated,
    filled,
    modulo,
    named,
    reduced,
    remainder,
    slices,
    taken,
)
from micronet_verify.framework.translation.step import Step
from micronet_verify.framework.translation.stored import Array, Order, Stored, stored_array
from micronet_verify.framework.translation.strided import strided
from micronet_verify.framework.translation.table import Line, Refusal, Unknown, lines_of, markdown, moves, priced, rule_of
from micronet_verify.framework.translation.walk import Walk
from micronet_verify.framework.versions import package_versions

__all__ = [
    "BOOL",
    "BYTES",
    "CPU",
    "DEEPEST",
    "FIXED",
    "FIXED32",
    "FIXED64",
    "FLOAT16",
    "FLOAT32",
    "FLOAT64",
    "INT32",
    "INT64",
    "INTERFACE",
    "LONGEST",
    "MOST_GENERATED",
    "MOST_INTEGERS",
    "NOT_REACHED",
    "NUMPY",
    "PT2",
    "SHAPE_TYPES",
    "SIDES",
    "TRIED",
    "VARINT",
    "Answer",
    "Array",
    "Attribute",
    "BenchFault",
    "Buffer",
    "ChargeFacts",
    "Check",
    "CheckRequest",
    "CheckResult",
    "Counter",
    "DatasetMissing",
    "Emitting",
    "EntryFacts",
    "Expected",
    "ExportRequest",
    "Exporting",
    "Field",
    "Fold",
    "Folds",
    "Form",
    "Found",
    "Framework",
    "Function",
    "Graph",
    "GraphBuilder",
    "Home",
    "Item",
    "KnownFile",
    "Line",
    "Loader",
    "Loop",
    "MeasureRequest",
    "Metric",
    "NoTensor",
    "Node",
    "NumericFormat",
    "OpenRequest",
    "Operand",
    "Order",
    "Port",
    "PredictRequest",
    "Problem",
    "Reader",
    "Refusal",
    "Report",
    "ReportRequest",
    "Result",
    "Results",
    "RuleResult",
    "Scanned",
    "Scope",
    "Shape",
    "ShapeError",
    "Split",
    "Step",
    "StepRequest",
    "Stepper",
    "Stepping",
    "Stored",
    "SubmissionFault",
    "TraceRequest",
    "Tracing",
    "TranslateRequest",
    "Turn",
    "Unknown",
    "Value",
    "VerdictFacts",
    "Walk",
    "answers",
    "arithmetic",
    "as_batches",
    "bodies",
    "branch",
    "branch_names",
    "broadcast",
    "check_batch",
    "check_chunk",
    "check_rows",
    "check_step",
    "chunk_length",
    "computed",
    "cumulated",
    "decode_varints",
    "einsum",
    "elementwise",
    "encoded",
    "fields",
    "filled",
    "folded",
    "hookimpl",
    "input_shape",
    "inputs",
    "instead",
    "ints",
    "lines_of",
    "look_ups",
    "loop",
    "loops",
    "markdown",
    "modulo",
    "moves",
    "moving",
    "named",
    "numeric_format",
    "numpy_dtype",
    "op",
    "package_versions",
    "plugin",
    "priced",
    "recurrent",
    "reduced",
    "remainder",
    "row_major",
    "rows_format",
    "rule_of",
    "same_padding",
    "scope",
    "shared_out",
    "slices",
    "sole",
    "stacked",
    "stored",
    "stored_array",
    "strided",
    "taken",
    "tensor",
    "varint",
    "while_loop",
    "whole_chunk",
    "zeros",
]
