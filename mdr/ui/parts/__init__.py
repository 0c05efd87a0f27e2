"""What all pages and their routes are made of."""
