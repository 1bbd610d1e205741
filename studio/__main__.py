"""`python -m pitchpipe.studio` is the `pitchpipe` command, for places where the script is not on the path."""

from pitchpipe.studio.cli import main

main()
