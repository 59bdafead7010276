"""What an operator asks of a deployed environment: its state, its logs, and what failed. It changes nothing."""
