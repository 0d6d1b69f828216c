"""What a program computes, in numpy and float64: the answers that a plugin's predictions and its graph are compared with."""

from micronet_verify.testing.reference.inputs import examples
from micronet_verify.testing.reference.walk import Answers, answer, read, run

__all__ = ["Answers", "answer", "examples", "read", "run"]
