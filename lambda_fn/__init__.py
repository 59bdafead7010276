"""What runs in Lambda: event in, endpoint invoked, response out. It imports only boto3, the
standard library and inference/photo/file_types.py."""
