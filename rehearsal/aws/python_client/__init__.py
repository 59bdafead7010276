"""A stand-in for the compiled part of AWS's Lambda runtime client, which AWS publishes for Linux alone.

This folder goes on the function's PYTHONPATH where that part is missing: `runtime_client` is a top-level module there.
"""
