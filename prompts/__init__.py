"""What we ask: instruction templates, rubrics and guidelines as files, with one loader (`library`)."""
