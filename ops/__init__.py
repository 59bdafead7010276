"""What the operator runs: the `kennel` command."""
