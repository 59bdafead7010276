"""Drift: how far the photos that callers send now differ from the test photos of the model that answers them."""
