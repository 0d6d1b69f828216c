"""Being written by another colleague (traps: storage that hides); please leave this file and tests/traps to them."""
