"""From an item to token ids: template, chat template, answer prefix, condition, and the score tokens.

It needs a tokenizer and no model.
"""
