"""Being written by another colleague (traps: what entrants did); please leave this file and tests/traps to them."""
