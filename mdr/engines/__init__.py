"""What computes: Lucene, encoders, vector search, language identification. Heavy imports stay inside functions."""
