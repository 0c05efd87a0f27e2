"""What is to be judged by whom, and how it comes along."""
