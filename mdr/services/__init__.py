"""What the app and the command line ask for: search, explain, judge, evaluate."""
