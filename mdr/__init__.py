"""Multilingual dense retrieval without labels, as one machine: train, mine, generate, retrieve, judge."""

__version__ = "0.1.0"
