"""Two Lambda functions: `check.on_event` after a deploy, `canary.on_schedule` every minute. boto3 alone."""
