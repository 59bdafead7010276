"""How long a test waits for what must happen."""

PATIENCE_S = 300
"""Only a failure reaches it: the awaited events take seconds on an idle machine, and longer on a busy one."""
