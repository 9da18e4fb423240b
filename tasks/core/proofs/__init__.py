"""What Slipway checks by itself: one module a family of proofs."""
