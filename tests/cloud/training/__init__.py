"""SageMaker's training jobs in the local AWS: real processes, real S3 over HTTP, IAM enforced."""
