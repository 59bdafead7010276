"""Application Auto Scaling: target tracking of an endpoint variant's number of instances."""
