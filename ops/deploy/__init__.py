"""`make deploy`: preflight, one summary, one question, and then CDK without any other (`kennel deploy`)."""
