"""Each recipe is one page: a sequence of stages with settings."""
