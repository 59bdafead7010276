"""How long a test waits for what must happen."""

PATIENCE_S = 300
"""Only a failure reaches it: what is waited for takes at most seconds on an idle machine, and longer on a busy one."""
