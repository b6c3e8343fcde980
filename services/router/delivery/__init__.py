"""Carries notices to people: chosen, written down, sent, looked for where an answer was lost (G7)."""
