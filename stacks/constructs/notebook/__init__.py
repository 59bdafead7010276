"""The notebook instance, and what it runs at each start."""
