"""The EC2 training host."""
