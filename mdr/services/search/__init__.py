"""Searching, and why something was found."""
