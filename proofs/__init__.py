"""Exact and rigorous checks of the paper's claims; see `proofs.ledger`."""

import os

# SymPy reads it when it is imported: of its thousand entries the ledger, which asks much again, loses most too early.
os.environ.setdefault("SYMPY_CACHE_SIZE", "20000")
