"""What is said, and in whose language."""
