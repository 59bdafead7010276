"""AWS on one machine: real processes behind the interfaces of SageMaker and Lambda. Knows nothing of dogs."""
