"""Facts that several rooms share, each declared once. Standard library only, so that every room may import it."""
