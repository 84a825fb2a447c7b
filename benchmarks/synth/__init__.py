"""How fast the library synthesizes, beside JavaScript and beside QueueProcessingFargateService.

Counts come first, because they are the same on every machine. Times are CPU seconds of a whole process tree, and only
ever ratios of two programs that ran in turns.
"""
