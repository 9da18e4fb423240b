"""What builds did, kept: their records, and the answers that are in them."""
