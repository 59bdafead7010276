"""Exit codes that several commands share, beside 0, 1 (an error, as one sentence) and 2 (a wrong option)."""

NEEDS_ATTENTION = 3
"""AWS answered, and something has failed."""
NOTHING_DEPLOYED = 4
"""AWS answered, and there is nothing of this environment."""
