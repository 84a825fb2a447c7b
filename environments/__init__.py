"""The environments' files, and the reader that checks them."""
