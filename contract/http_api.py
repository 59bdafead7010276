"""The routes of the HTTP API in front of the function, as API Gateway writes them: method, space, path."""

PREDICT_ROUTE = "POST /predict"
PAGE_ROUTE = "GET /"
"""Exists with api.page alone."""
