"""Recipes that can be started, what they will cost, how they go on, and what they made."""
