"""Rules of quality: each finds rows of a dataset that should not teach, with the reason and the evidence."""
