"""The report of a training run: one HTML page that needs no network."""

PAGE = "index.html"
