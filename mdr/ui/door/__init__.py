"""Who comes in, how often, and with how much; and what browsers are told."""
