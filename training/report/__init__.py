"""The result of a training as one page that a browser opens without a network."""

PAGE = "index.html"
