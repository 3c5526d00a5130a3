"""One connector per family of banks: a file that knows the way (URLs, headers, order), a file that knows the shapes."""
