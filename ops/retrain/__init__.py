"""The deploy's own training job, started outside a deploy, without the deploy's limit of one hour."""
