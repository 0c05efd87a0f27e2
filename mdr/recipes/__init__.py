"""Methods as pages: each composes the same stages, with settings of its own."""
