"""The CDK stacks and their settings, one folder per stack."""
