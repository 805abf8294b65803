"""How good the recommendations are, on public data, and on a shop's own log."""
