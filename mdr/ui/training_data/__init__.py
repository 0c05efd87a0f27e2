"""What the page "Training data" is made of."""
