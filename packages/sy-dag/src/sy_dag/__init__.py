"""See the README of sy-dag."""
