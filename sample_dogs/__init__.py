"""A sample data set for an image classifier: photos of cartoon dogs, drawn from a seed.

It imports nothing else from this repository.
"""
