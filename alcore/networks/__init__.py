"""Neural networks: embeddings, dropout members, loss prediction, self-supervised training."""
