"""A local AWS, to which the unchanged CDK command line deploys: an engine from PyPI, and what it lacks.

engine.py is the only module that imports the engine. api.py is what the engine and the services know of each other.
"""
