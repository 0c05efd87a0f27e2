"""Pairs: where they came from, what was said of them, what learned from them."""
