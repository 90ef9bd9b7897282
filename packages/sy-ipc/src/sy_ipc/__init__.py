"""See the README of sy-ipc."""
