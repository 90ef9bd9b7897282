"""See the README of sy-artifacts."""
