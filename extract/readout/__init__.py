"""Read-outs: forward passes over planned prompts, each layer's score-token logits at one position.

From outside: `readout` and `steps`. It sees token ids and knows neither items nor caches.
"""
