"""Planted defects: each plugin's op rules are changed so that they say something else than their files, and the proof finds it.

A defect that changes no value cannot be found by running. So the networks have calibrated norms, square weights, examples on both sides
of every bound, and zero points other than 0.
"""
