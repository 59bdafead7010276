"""The engine, ministack: what of it is called, and what is replaced.

The engine has no interface for plug-ins, so some of the names that are used are private. seams.py lists all of them,
and tests/cloud/test_seams.py compares each with its signature: after an upgrade that renames one, that test says
which. No other package imports the engine, and none of the engine's code is copied here.
"""

from rehearsal.cloud.engine.decisions import Decision
from rehearsal.cloud.engine.ministack import Ministack
from rehearsal.cloud.engine.seams import SEAMS, VERSION, signatures

__all__ = ["SEAMS", "VERSION", "Decision", "Ministack", "signatures"]
