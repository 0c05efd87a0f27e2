"""Whether this machine can do its work."""
