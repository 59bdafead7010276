"""One construct a file, each beside the code that only it runs."""
