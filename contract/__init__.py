"""Facts that several packages share, each declared once. It imports only the standard library."""
