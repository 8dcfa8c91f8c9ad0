"""`lager estimate`: the mean human score of each system or group, from few human labels and many scores of judges.

From outside: `means.estimate_means`, `shares.estimate_shares` and the command. It takes plain arrays; what reads caches
and files is `decisions.judged_items`.
"""
