"""The code of two Lambda functions, `check.on_event` and `canary.on_schedule`. It needs boto3 and nothing else."""
