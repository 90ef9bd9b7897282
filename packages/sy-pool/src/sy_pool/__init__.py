"""See the README of sy-pool."""
