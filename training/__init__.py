"""What runs on a training host: data, model, evaluation, artifact."""
