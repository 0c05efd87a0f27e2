"""Pure functions over plain values: no files, no models, no engines."""
