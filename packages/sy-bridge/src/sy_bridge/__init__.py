"""See the README of sy-bridge."""
