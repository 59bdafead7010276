"""`kennel sweep`: what of an environment still bills, found by its tags, and its deletion."""
