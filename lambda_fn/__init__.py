"""What runs in Lambda: event in, endpoint invoked, response out. It imports only botocore, the
standard library, inference/photo/file_types.py and, where it shows the page, page/."""
