"""What tools/check looks for itself; each module is one check, pure but for reading the files."""
