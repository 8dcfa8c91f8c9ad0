"""Which of two responses is better: preferences from a judge's scores, and how far they agree with people's."""
