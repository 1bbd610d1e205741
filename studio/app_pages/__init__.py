"""The pages of the studio. Each is thin: load, show, call one function of the store or of training."""
