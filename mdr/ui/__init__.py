"""The browser app: thin pages over services."""
