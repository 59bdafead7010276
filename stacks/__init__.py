"""What exists on AWS: settings, stacks and their constructs."""
