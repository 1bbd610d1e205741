"""The fictional help desk that `pitchpipe demo` runs on; written for this project, see README.md."""
