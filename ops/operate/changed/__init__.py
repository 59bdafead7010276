"""What is no longer as the stacks have deployed it: resources that were changed or deleted outside a deploy."""
