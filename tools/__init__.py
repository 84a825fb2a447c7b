"""Commands for those who work on this repository: what writes files, and nothing that ships."""
