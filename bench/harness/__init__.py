"""What the runners of this folder share. See ../README.md."""
