"""From foreign files to parsed rows: streaming readers, known formats, mapping files. Knows nothing of the database."""

from pitchpipe.store.importing.formats import FORMATS, guess_format
from pitchpipe.store.importing.reading import read_examples

__all__ = ["FORMATS", "guess_format", "read_examples"]
