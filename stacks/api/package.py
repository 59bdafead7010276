"""The files that the function's package has beside the package lambda_fn, at their paths in the repository."""

BESIDE_PACKAGE = ("inference/__init__.py", "inference/photo/__init__.py", "inference/photo/file_types.py")
"""What the function imports of inference: one table alone."""
PAGE = ("page/__init__.py", "page/index.html")
"""With api.page it also imports these."""
