"""See the README of sy-extensions."""
