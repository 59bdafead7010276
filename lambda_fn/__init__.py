"""What runs in Lambda: event in, endpoint invoked, response out. It imports only boto3 and the standard library."""
