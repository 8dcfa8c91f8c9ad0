"""How far scores hang on the prompt: the same items under several templates or scales."""
