"""A replacement for the compiled part of AWS's Lambda runtime client, which AWS publishes only for Linux.

Where that part is missing, this folder is on the function's PYTHONPATH, since `runtime_client` is a top-level module.
"""
