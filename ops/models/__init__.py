"""The versions of the model in SageMaker's Model Registry, and which one the endpoint serves."""
