"""How good systems are: by which measure, by whose grades, one against another."""
