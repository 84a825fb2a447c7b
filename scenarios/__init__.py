"""What local runs feed and check: a package for each app."""
