"""Which targets something changed for since a commit: those that would come out otherwise."""
