"""The handlers of the example: make a thumbnail, deliver it, report."""
