"""Makes the Servery demo model from nothing: corpus, tokenizer, training, export, evaluation."""
