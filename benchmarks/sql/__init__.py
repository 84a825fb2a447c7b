"""What a claim costs in the transaction of its effect, beside the effect alone."""
