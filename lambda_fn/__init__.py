"""What runs in Lambda: event in, endpoint asked, response out. Imports boto3 and the standard library only."""
