"""Being written by another colleague (traps: numbers that lie); please leave this file and tests/traps to them."""
