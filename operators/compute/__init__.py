"""Values that operators compute for a dataset: embeddings, predictions, scores and image metadata."""
