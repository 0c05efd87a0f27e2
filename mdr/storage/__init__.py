"""What is kept: artefacts, tables, judgements."""
