"""How good the recommendations are, on public data and by the definitions of the papers."""
