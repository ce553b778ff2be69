"""The way back from tokens (还原): only what an officer of the provider has signed, only with a receipt."""
