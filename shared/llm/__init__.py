"""Port to a language model: questions with answers of a known shape, or the reason why there is none."""
