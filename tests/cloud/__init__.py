"""A local AWS: its seams into the engine, its rules, and a deploy of a small CDK app."""
