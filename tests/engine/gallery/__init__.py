"""Small images, each right but for one flaw, and sound ones: what the proofs are proven with."""
