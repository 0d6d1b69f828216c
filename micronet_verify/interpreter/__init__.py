"""Runs neutral graphs in plain numpy: one function a node kind, so that what was priced can be tried."""
