"""The code of the Lambda function `start.on_schedule`. It needs boto3 and nothing else."""
