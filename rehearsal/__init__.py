"""SageMaker and Lambda on one machine: their interfaces, with real processes behind them.

An ordinary package: it imports nothing else from this repository.
"""
