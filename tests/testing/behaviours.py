"""Defects of how a plugin behaves: of each the plugin that has it, and the programs, or the test, on which it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from micronet_verify.testing import Program, Step
from tests.testing.broken import (
    Edited,
    FillingCounter,
    FillingLoader,
    FirstOfBatch,
    Hasty,
    Ignorant,
    Raising,
    Random,
    Remembering,
    Rewritten,
    Scribbling,
    input_of,
    mixed_up,
    of_branches,
    of_nodes,
    taken_as,
    weights_as_inputs,
)
from tests.testing.broken_steppers import Forgetful, FromZeros, Late, Stateless, Stepped, Unstoppable
from tests.testing.changes import every
from tests.testing.neutral.counter import NeutralCounter
from tests.testing.neutral.plugin import Neutral


def _averaged_by_weights(program: Program) -> Program:
    """A mean over 16 places as a convolution by sixteenths, which an output does not need: the answers are the same."""

    def dearer(step: Step) -> tuple[Step, ...]:
        weight = np.full((program.shape[0], 1, *program.shape[1:]), 1 / 16, np.float32)
        conv = Step("conv", step.inputs, {"weight": weight}, {"groups": program.shape[0]}, f"{step.name}.conv")
        return conv, Step("reshape", (conv.name,), {}, {"shape": (program.shape[0],)}, step.name)

    return every("global_average", dearer)(program) if program.name == "model" and len(program.steps) == 1 else program


SOUND = Neutral()
_BRANCH, _STEP, _FILE = ("branch", "branch-nested"), ("language-step",), ("linear",)
# Of each defect: the plugin, the programs on which it shows, and, where no test of programs is to find it, the test that does.
BEHAVIOURS: Mapping[str, tuple[Neutral, tuple[str, ...], str]] = {
    "ignored batch": (
        SOUND.with_loader(lambda: Edited(lambda answer: replace(answer, outputs=np.repeat(answer.outputs[:1], len(answer.outputs), 0)))),
        ("linear",),
        "",
    ),
    "ignored batch, in the graph": (SOUND.with_counter(FirstOfBatch), ("linear",), ""),
    "answers of another file": (SOUND.with_loader(Remembering), ("linear-square", "tied"), ""),
    "answers of the file that was there before": (SOUND.with_loader(Remembering), _FILE, "a_file_that_took_anothers_place"),
    "count of another file": (SOUND.with_counter(Remembering), ("linear-square", "tied"), ""),
    "forgets the last batch": (SOUND.with_loader(Hasty), ("linear-pruned",), ""),
    "answers by the neighbours": (
        SOUND.with_loader(lambda: Edited(lambda answer: replace(answer, outputs=answer.outputs - answer.outputs.mean(0)))),
        _FILE,
        "the_batch_size_changes_no_answer",
    ),
    "answers with whole numbers": (
        SOUND.with_loader(lambda: Edited(lambda answer: replace(answer, outputs=answer.outputs.astype(np.int64)))),
        _FILE,
        "answers_are_floats",
    ),
    "lets an exception through": (SOUND.with_counter(Raising), _FILE, "a_damaged_file_is_refused"),
    "writes into the artifact": (SOUND.with_counter(Scribbling), _FILE, "translating_and_predicting_leave"),
    "depends on chance": (SOUND.with_counter(Random), _FILE, "translating_twice"),
    "leaves out what it does not know": (SOUND.with_counter(Ignorant), _FILE, "an_unknown_operator_is_named"),
    "answers turned round": (SOUND.with_loader(lambda: Edited(lambda answer: replace(answer, outputs=answer.outputs[::-1]))), _FILE, ""),
    "taken: the other body": (SOUND.with_loader(taken_as(lambda bodies: tuple(1 - body for body in bodies))), _BRANCH[:1], ""),
    "taken: always the first": (SOUND.with_loader(taken_as(lambda bodies: (0,) * len(bodies))), _BRANCH, ""),
    "taken: first where not reached": (SOUND.with_loader(taken_as(lambda bodies: tuple(max(0, body) for body in bodies))), _BRANCH[1:], ""),
    "taken: nothing told": (SOUND.with_loader(lambda: Edited(lambda answer: replace(answer, taken={}))), _BRANCH, ""),
    "taken: of the other branch": (SOUND.with_loader(lambda: Edited(mixed_up)), _BRANCH[1:], ""),
    "a branch without a name": (SOUND.with_counter(lambda: Rewritten(of_branches(lambda node: {}))), _BRANCH, ""),
    "a branch under another name": (
        SOUND.with_counter(lambda: Rewritten(of_branches(lambda node: {"id": f"{node.attributes['id']}'"}))),
        _BRANCH,
        "",
    ),
    "constants that are inputs": (SOUND.with_counter(lambda: Rewritten(weights_as_inputs)), _FILE, ""),
    "a float64 input": (SOUND.with_counter(lambda: Rewritten(lambda graph: input_of(graph, "float64"))), _FILE, ""),
    "the input is the answer": (
        SOUND.with_counter(lambda: Rewritten(lambda graph: replace(graph, outputs=graph.inputs[:1]))),
        ("linear-square",),
        "",
    ),
    "a price of another operator": (SOUND.with_counter(partial(NeutralCounter, _averaged_by_weights)), ("global_average",), ""),
    "nodes without a place": (SOUND.with_counter(lambda: Rewritten(of_nodes(lambda node: replace(node, source="")))), _FILE, ""),
    "damaged file beside accepted by the counter": (SOUND.with_counter(FillingCounter), _FILE, "a_damaged_file_beside"),
    "damaged file beside accepted by the loader": (SOUND.with_loader(FillingLoader), _FILE, "a_damaged_file_beside"),
    "a stepper that forgets its state between texts": (SOUND.with_loader(lambda: Stepped(Forgetful)), _STEP, ""),
    "a stepper that forgets its state between words": (SOUND.with_loader(lambda: Stepped(Stateless)), _STEP, ""),
    "a stepper that does not begin anew": (SOUND.with_loader(lambda: Stepped(Unstoppable)), _STEP, "a_step_begins_anew"),
    "a stepper that begins from zeros alone": (SOUND.with_loader(lambda: Stepped(FromZeros)), _STEP, "a_step_goes_on_from_its_state"),
    "a stepper whose state is a word late": (SOUND.with_loader(lambda: Stepped(Late)), _STEP, "a_step_goes_on_from_its_state"),
}
