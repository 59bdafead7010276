"""A local AWS, to which the unchanged CDK command line deploys: an engine from PyPI, and what it lacks.

The package `engine` alone imports the engine. api.py is what the engine and the services know of each other.
"""
