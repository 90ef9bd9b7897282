"""The operators and instruments that come with the bridge, a file per field."""
