"""How many networks are drawn."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent
MANY = int(os.environ.get("MICRONET_RANDOM", "0"))
"""How many networks to draw anew for each framework; 0: the same ones as always."""
AS_ALWAYS = 100
SETTINGS = settings(
    max_examples=MANY or AS_ALWAYS,
    derandomize=not MANY,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
