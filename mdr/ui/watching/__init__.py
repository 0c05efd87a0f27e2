"""How the server does: for machines that ask, and in the log."""
