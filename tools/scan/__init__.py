"""Runs the scanners that platform teams run over the templates of every environment."""
