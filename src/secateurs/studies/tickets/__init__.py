"""Lottery tickets as jobs: the plan, what finds masks, trains and compares, and the file of a ticket (P2)."""
