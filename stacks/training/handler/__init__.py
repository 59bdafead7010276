"""The custom resource's two Lambda functions: `events.on_event` acts, `events.is_complete` polls. Imports only
boto3."""
