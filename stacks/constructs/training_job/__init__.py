"""A SageMaker training job as a CloudFormation resource, which AWS itself does not offer."""
