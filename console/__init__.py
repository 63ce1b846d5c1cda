"""The marketer's side, on the private port: reports as pages, as JSON and CSV, and on the command line."""
