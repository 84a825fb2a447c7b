"""What decides, once a minute, how many tasks there should be."""
