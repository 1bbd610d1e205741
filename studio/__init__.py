"""What people see: pages, API, server and the `pitchpipe` command line."""
