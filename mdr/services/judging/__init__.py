"""What people say of passages, whether it can be trusted, and how it is kept."""
