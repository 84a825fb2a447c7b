"""Predicts how a synthesized service scales: its template and a load in, what its users would see out."""
