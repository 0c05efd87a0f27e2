"""What goes to the model hub."""
