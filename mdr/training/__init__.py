"""Losses, batches and the trainer that every recipe uses."""
