"""Stage 3: scores to agreement with humans, tables and figures."""
