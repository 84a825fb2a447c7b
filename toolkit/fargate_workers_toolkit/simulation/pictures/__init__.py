"""A simulation as a page and as plots."""
